import {
  ScalarType,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
} from "@bufbuild/protobuf";
import { HostError } from "../../errors.js";

/** Messages whose JSON form is a string, so that a query can give them. */
export const stringMessages = new Set(
  [
    "Timestamp",
    "Duration",
    "FieldMask",
    "StringValue",
    "BytesValue",
    "Int32Value",
    "UInt32Value",
    "Int64Value",
    "UInt64Value",
    "FloatValue",
    "DoubleValue",
  ].map((name) => `google.protobuf.${name}`),
);

/**
 * Parameters of a query or a path as a JSON object of the message: `a.b=1` nests, a parameter given again is another
 * item of a repeated field. Throws REQUEST_INVALID for a field that is not there, and for a second value of a single one.
 */
export function parametersToJson(
  schema: DescMessage,
  parameters: Iterable<readonly [string, string]>,
): JsonObject {
  const json: JsonObject = {};
  const given = new Set<string>();
  for (const [path, text] of parameters) {
    const { parents, field } = resolve(schema, path);
    let object = json;
    for (const parent of parents) object = (object[parent.jsonName] ??= {}) as JsonObject;
    const value = fieldValue(field, path, text);
    if (field.fieldKind === "list") {
      const items = (object[field.jsonName] ??= []) as JsonValue[];
      items.push(value);
    } else {
      const place = [...parents, field].map(({ name }) => name).join(".");
      if (given.has(place))
        throw new HostError("REQUEST_INVALID", `${path} is given twice.`, {
          metadata: { field: place },
        });
      given.add(place);
      object[field.jsonName] = value;
    }
  }
  return json;
}

function resolve(schema: DescMessage, path: string): { parents: DescField[]; field: DescField } {
  const parents: DescField[] = [];
  let message: DescMessage | undefined = schema;
  for (const name of path.split(".")) {
    const field: DescField | undefined = message?.fields.find(
      (each) => each.name === name || each.jsonName === name,
    );
    if (!field)
      throw new HostError("REQUEST_INVALID", `There is no parameter ${path} here.`, {
        metadata: { field: path },
      });
    parents.push(field);
    message = field.fieldKind === "message" ? field.message : undefined;
  }
  const field = parents.pop();
  if (!field) throw new HostError("REQUEST_INVALID", "A parameter has no name.");
  return { parents, field };
}

function fieldValue(field: DescField, path: string, text: string): JsonValue {
  if (field.enum) return /^-?\d+$/.test(text) ? Number(text) : text;
  // Numbers may be strings in protobuf's JSON, which also keeps those of 64 bits exact.
  if (field.fieldKind !== "map" && field.scalar !== undefined)
    return field.scalar === ScalarType.BOOL ? boolValue(path, text) : text;
  if (field.message?.typeName === "google.protobuf.BoolValue") return boolValue(path, text);
  if (field.message && stringMessages.has(field.message.typeName)) return text;
  throw new HostError("REQUEST_INVALID", `${path} cannot be given as a parameter.`, {
    metadata: { field: path },
  });
}

function boolValue(path: string, text: string): boolean {
  if (text === "true" || text === "false") return text === "true";
  throw new HostError("REQUEST_INVALID", `${path} is true or false, not ${text}.`, {
    metadata: { field: path },
  });
}

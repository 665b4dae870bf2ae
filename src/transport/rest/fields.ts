import {
  ScalarType,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
} from "@bufbuild/protobuf";
import { HostError } from "../../errors.js";

/** Messages whose JSON form is a string, so that they can be query parameters. */
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
 * Converts query or path parameters to a JSON object of the message: `a.b=1` sets a nested field, a
 * repeated parameter adds items to a repeated field. Throws REQUEST_INVALID for an unknown field
 * and for a second value of a singular one.
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
      const fieldPath = [...parents, field].map(({ name }) => name).join(".");
      if (given.has(fieldPath))
        throw new HostError("REQUEST_INVALID", `Duplicate parameter ${path}.`, {
          metadata: { field: fieldPath },
        });
      given.add(fieldPath);
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
      throw new HostError("REQUEST_INVALID", `Unknown parameter ${path}.`, {
        metadata: { field: path },
      });
    parents.push(field);
    message = field.fieldKind === "message" ? field.message : undefined;
  }
  const field = parents.pop();
  if (!field) throw new HostError("REQUEST_INVALID", "A parameter has an empty name.");
  return { parents, field };
}

function fieldValue(field: DescField, path: string, text: string): JsonValue {
  if (field.enum) return /^-?\d+$/.test(text) ? Number(text) : text;
  // protobuf JSON accepts numbers as strings, which also keeps 64-bit integers exact.
  if (field.fieldKind !== "map" && field.scalar !== undefined)
    return field.scalar === ScalarType.BOOL ? boolValue(path, text) : text;
  if (field.message?.typeName === "google.protobuf.BoolValue") return boolValue(path, text);
  if (field.message && stringMessages.has(field.message.typeName)) return text;
  throw new HostError("REQUEST_INVALID", `${path} cannot be set by a parameter.`, {
    metadata: { field: path },
  });
}

function boolValue(path: string, text: string): boolean {
  if (text === "true" || text === "false") return text === "true";
  throw new HostError("REQUEST_INVALID", `Invalid ${path}: must be true or false, not ${text}.`, {
    metadata: { field: path },
  });
}

import type { DescField, DescMessage, JsonObject } from "@bufbuild/protobuf";
import { stringMessages } from "../rest/fields.js";
import type { Rule } from "../rest/rules.js";
import type { Schemas } from "./schemas.js";

/** A path in OpenAPI syntax with its parameters. */
export interface PathItem {
  path: string;
  parameters: JsonObject[];
}

/**
 * Converts a path template. OpenAPI has no equivalent of `{name=operations/**}`: literal segments
 * of a variable become part of the path, and each wildcard becomes a parameter, the first one with
 * the name of the variable.
 */
export function pathOf({ template }: Rule, schema: DescMessage): PathItem {
  const parameters: JsonObject[] = [];
  const uses = new Map<string, number>();
  const segments = template.segments.map((segment, i) => {
    if (!segment.startsWith("*")) return segment;
    const variable = template.variables.find(({ from, to }) => from <= i && i < to);
    const field = variable && fieldAt(schema, variable.fieldPath);
    const base = field?.jsonName ?? "part";
    const use = (uses.get(base) ?? 0) + 1;
    uses.set(base, use);
    const name = use === 1 ? base : `${base}${use}`;
    const description =
      segment === "**" ? "One or more segments; slashes are not encoded." : "One segment.";
    parameters.push({ name, in: "path", required: true, description, schema: { type: "string" } });
    return `{${name}}`;
  });
  return {
    path: `/${segments.join("/")}${template.verb === undefined ? "" : `:${template.verb}`}`,
    parameters,
  };
}

/**
 * Returns query parameters for the fields in neither path nor body; nested ones are named
 * `outer.inner`.
 */
export function queryParameters(rule: Rule, schema: DescMessage, schemas: Schemas): JsonObject[] {
  if (rule.body === "*") return [];
  const given = new Set([...rule.template.variables.map(({ fieldPath }) => fieldPath), rule.body]);
  return leafFields(schema, []).flatMap((path) => {
    const field = path.at(-1);
    if (
      !field ||
      path.some((_, i) =>
        given.has(
          path
            .slice(0, i + 1)
            .map(({ name }) => name)
            .join("."),
        ),
      )
    )
      return [];
    const schemaOfField = schemas.ofField(field);
    return [
      {
        name: path.map(({ jsonName }) => jsonName).join("."),
        in: "query",
        schema: schemaOfField,
        ...(field.fieldKind === "list" && { explode: true }),
      },
    ];
  });
}

/** Returns the paths of all fields that can be query parameters. */
function leafFields(schema: DescMessage, before: readonly DescField[]): DescField[][] {
  return schema.fields.flatMap((field) => {
    if (field.fieldKind === "map") return [];
    const path = [...before, field];
    if (
      !field.message ||
      stringMessages.has(field.message.typeName) ||
      field.message.typeName === "google.protobuf.BoolValue"
    )
      return [path];
    const inner = field.message;
    const open =
      field.fieldKind === "message" &&
      !inner.typeName.startsWith("google.protobuf.") &&
      !before.some(({ message }) => message === inner);
    return open ? leafFields(inner, path) : [];
  });
}

function fieldAt(schema: DescMessage, path: string): DescField | undefined {
  const [first, ...rest] = path.split(".");
  const field = schema.fields.find(({ name }) => name === first);
  return rest.length === 0 || !field?.message ? field : fieldAt(field.message, rest.join("."));
}

import type { JsonObject } from "@bufbuild/protobuf";
import { joinMembers, parseMembers } from "../../document/members.js";
import type { SystemField } from "../../document/system-fields.js";
import { HostError } from "../../errors.js";

/** The body of a request, as every request that has one carries it. */
export type RequestBody =
  | { case: "json"; value: Uint8Array }
  | { case: "fields"; value: JsonObject }
  | { case: undefined; value?: undefined };

/** The first slash is lost in the paths of the REST form. */
export function toLink(link: string): string {
  return link.startsWith("/") ? link : `/${link}`;
}

/** The body as JSON text. Throws JSON_INVALID, or REQUEST_INVALID where a Struct may have rounded a number. */
export function bodyText(body: RequestBody): string {
  switch (body.case) {
    case "json":
      try {
        return new TextDecoder("utf-8", { fatal: true }).decode(body.value);
      } catch (error) {
        throw new HostError("JSON_INVALID", "The body is not UTF-8.", { cause: error });
      }
    case "fields": {
      const field = roundedField(body.value);
      if (field !== undefined) {
        throw new HostError(
          "REQUEST_INVALID",
          `The number at ${field} is beyond 2^53, so a Struct may have rounded it. Send the body as json.`,
          { metadata: { field } },
        );
      }
      return JSON.stringify(body.value);
    }
    default:
      return "{}";
  }
}

/** The same with system fields set beside the document's own. Throws REQUEST_INVALID for one that is in the body too. */
export function withSystemFields(text: string, fields: Partial<Record<SystemField, string | number>>): string {
  const given = Object.entries(fields);
  if (given.length === 0) return text;
  const members = parseMembers(text);
  for (const [name, value] of given) {
    if (members.has(name)) throw new HostError("REQUEST_INVALID", `${name} is in the body and in the request; give it once.`, { metadata: { field: name } });
    members.set(name, JSON.stringify(value));
  }
  return joinMembers(members);
}

/** Stored JSON as a Struct, or where in it a number stands that a double cannot be trusted with. */
export function structOf(text: string): { fields: JsonObject } | { roundedField: string } {
  const fields = JSON.parse(text) as JsonObject;
  const field = roundedField(fields);
  return field === undefined ? { fields } : { roundedField: field };
}

/** The path of the first number beyond 2^53: whole numbers from there on are no longer told apart. */
function roundedField(value: unknown, path = ""): string | undefined {
  if (typeof value === "number") return Math.abs(value) > Number.MAX_SAFE_INTEGER ? path : undefined;
  if (typeof value !== "object" || value === null) return undefined;
  for (const [name, item] of Object.entries(value)) {
    const found = roundedField(item, path === "" ? name : `${path}.${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

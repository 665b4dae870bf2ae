import type { JsonObject } from "@bufbuild/protobuf";
import { decodeUtf8 } from "../../document/utf8.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";

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
export async function bodyText(body: RequestBody): Promise<string> {
  switch (body.case) {
    case "json":
      return decodeUtf8(body.value, "The body");
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

/** Stored JSON as a Struct, or why it cannot be one: where a number stands that a double cannot be trusted with, or its size. */
export function structOf(
  text: string,
): { fields: JsonObject } | { roundedField: string } | { tooLarge: true } {
  if (text.length > limits.structBytes) return { tooLarge: true };
  const fields = JSON.parse(text) as JsonObject;
  const field = roundedField(fields);
  return field === undefined ? { fields } : { roundedField: field };
}

/** The path of the first number beyond 2^53: whole numbers from there on are no longer told apart. */
function roundedField(value: unknown, path = ""): string | undefined {
  if (typeof value === "number")
    return Math.abs(value) > Number.MAX_SAFE_INTEGER ? path : undefined;
  if (typeof value !== "object" || value === null) return undefined;
  for (const [name, item] of Object.entries(value)) {
    const found = roundedField(item, path === "" ? name : `${path}.${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

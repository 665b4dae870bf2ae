import type { JsonObject } from "@bufbuild/protobuf";
import { decodeUtf8 } from "../../document/utf8.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";

/** The oneof `body` common to all requests that have a body. */
export type RequestBody =
  | { case: "json"; value: Uint8Array }
  | { case: "fields"; value: JsonObject }
  | { case: undefined; value?: undefined };

/** Adds the leading slash, which REST paths omit. */
export function toLink(link: string): string {
  return link.startsWith("/") ? link : `/${link}`;
}

/**
 * Returns the body as JSON text. Throws JSON_INVALID, or REQUEST_INVALID if a Struct may have
 * rounded a number.
 */
export async function bodyText(body: RequestBody): Promise<string> {
  switch (body.case) {
    case "json":
      return decodeUtf8(body.value, "The body");
    case "fields": {
      const field = roundedField(body.value);
      if (field !== undefined) {
        throw new HostError(
          "REQUEST_INVALID",
          `The number in ${field} is beyond 2^53 and may have been rounded in the Struct. Send the body as json.`,
          { metadata: { field } },
        );
      }
      return JSON.stringify(body.value);
    }
    default:
      return "{}";
  }
}

/**
 * Converts stored JSON to a Struct, unless it is too large or has a number that a double may not
 * represent exactly.
 */
export function structOf(
  text: string,
): { fields: JsonObject } | { roundedField: string } | { tooLarge: true } {
  if (text.length > limits.structBytes) return { tooLarge: true };
  const fields = JSON.parse(text) as JsonObject;
  const field = roundedField(fields);
  return field === undefined ? { fields } : { roundedField: field };
}

/**
 * Returns the path of the first number beyond 2^53, from where doubles cannot represent every
 * integer.
 */
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

import { randomUUID } from "node:crypto";
import { limits } from "../limits.js";
import { encodeYielding, encodeUtf8 } from "./utf8.js";

/**
 * Encodes a value as JSON and yields to the event loop for long strings: JSON.stringify takes about
 * 50 ms for a string of 22 MiB, and converting it to bytes takes as long again.
 */
export async function encodeJson(json: unknown): Promise<Buffer[]> {
  const placeholder = randomUUID();
  const long: string[] = [];
  const text = JSON.stringify(json, (_name, value: unknown) => {
    if (typeof value !== "string" || value.length <= limits.decodeSliceBytes) return value;
    long.push(value);
    return placeholder;
  });
  if (long.length === 0) return encodeUtf8(text);
  const parts: Buffer[] = [];
  for (const [i, chunk] of text.split(`"${placeholder}"`).entries()) {
    parts.push(...(await encodeUtf8(chunk)));
    const string = long[i];
    if (string !== undefined) parts.push(quote, ...(await encodeYielding(string, unquoted)), quote);
  }
  return parts;
}

const quote = Buffer.from('"');

/** Returns a JSON string without its quotes. */
const unquoted = (text: string) => JSON.stringify(text).slice(1, -1);

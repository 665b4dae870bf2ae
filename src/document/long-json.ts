import { randomUUID } from "node:crypto";
import { limits } from "../limits.js";
import { encodeInTurns, encodeUtf8 } from "./utf8.js";

/**
 * JSON as bytes, with turns of the event loop in between where it has long strings: JSON.stringify takes some 50 ms for one of 22 MiB, and
 * to make bytes of it as long again.
 */
export async function encodeJson(json: unknown): Promise<Buffer[]> {
  const mark = randomUUID();
  const long: string[] = [];
  const text = JSON.stringify(json, (_name, value: unknown) => {
    if (typeof value !== "string" || value.length <= limits.decodeTurnBytes) return value;
    long.push(value);
    return mark;
  });
  if (long.length === 0) return encodeUtf8(text);
  const parts: Buffer[] = [];
  for (const [i, piece] of text.split(`"${mark}"`).entries()) {
    parts.push(...(await encodeUtf8(piece)));
    const string = long[i];
    if (string !== undefined) parts.push(quote, ...(await encodeInTurns(string, unquoted)), quote);
  }
  return parts;
}

const quote = Buffer.from('"');

/** What stands between the quotes of a JSON string. */
const unquoted = (text: string) => JSON.stringify(text).slice(1, -1);

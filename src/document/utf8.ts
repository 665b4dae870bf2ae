import { isAscii, isUtf8 } from "node:buffer";
import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";

/**
 * Decodes UTF-8. Throws JSON_INVALID for other bytes; `what` names the bytes in the message. Long
 * input is decoded in chunks and yields to the event loop: 16 MiB take a tenth of a second.
 */
export async function decodeUtf8(bytes: Uint8Array, what: string): Promise<string> {
  if (!isUtf8(bytes)) throw new HostError("JSON_INVALID", `${what} is not UTF-8.`);
  if (bytes.byteLength <= limits.decodeSliceBytes) return asBuffer(bytes).toString();
  // A single copy; a concatenated string would be copied again on first access.
  if (isAscii(bytes)) return asBuffer(bytes).toString("latin1");
  await yieldToEventLoop();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let text = "";
  for (let at = 0; at < bytes.byteLength; at += limits.decodeSliceBytes) {
    text += decoder.decode(bytes.subarray(at, at + limits.decodeSliceBytes), { stream: true });
    await yieldToEventLoop();
  }
  return text + decoder.decode();
}

/** Encodes a text as UTF-8. Long text is encoded in chunks and yields to the event loop. */
export function encodeUtf8(text: string): Promise<Buffer[]> {
  return encodeYielding(text, (chunk) => chunk);
}

/** Like encodeUtf8, with `encode` applied to each chunk. */
export async function encodeYielding(
  text: string,
  encode: (chunk: string) => string,
): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  for (let at = 0; at < text.length;) {
    await yieldToEventLoop();
    let end = Math.min(text.length, at + limits.decodeSliceBytes);
    // Do not split a surrogate pair.
    if (end < text.length && (text.charCodeAt(end - 1) & 0xfc00) === 0xd800) end -= 1;
    parts.push(Buffer.from(encode(text.slice(at, end))));
    at = end;
  }
  return parts;
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

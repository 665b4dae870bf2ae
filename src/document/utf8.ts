import { isAscii, isUtf8 } from "node:buffer";
import { setImmediate as nextTurn } from "node:timers/promises";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";

/**
 * The text of bytes; JSON_INVALID, with `what` in its message, for bytes that are not UTF-8. A large one is decoded in parts, with
 * turns of the event loop in between: 16 MiB take a tenth of a second.
 */
export async function decodeUtf8(bytes: Uint8Array, what: string): Promise<string> {
  if (!isUtf8(bytes)) throw new HostError("JSON_INVALID", `${what} is not UTF-8.`);
  if (bytes.byteLength <= limits.decodeTurnBytes) return asBuffer(bytes).toString();
  // One copy, and a text in one piece: what is put together from parts is copied once more when it is first looked into.
  if (isAscii(bytes)) return asBuffer(bytes).toString("latin1");
  await nextTurn();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let text = "";
  for (let at = 0; at < bytes.byteLength; at += limits.decodeTurnBytes) {
    text += decoder.decode(bytes.subarray(at, at + limits.decodeTurnBytes), { stream: true });
    await nextTurn();
  }
  return text + decoder.decode();
}

/** The bytes of a text; a large one is encoded in parts, with turns of the event loop in between. */
export function encodeUtf8(text: string): Promise<Buffer[]> {
  return encodeInTurns(text, (piece) => piece);
}

/** The same for what `encode` makes of the text, piece by piece. */
export async function encodeInTurns(
  text: string,
  encode: (piece: string) => string,
): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  for (let at = 0; at < text.length;) {
    await nextTurn();
    let end = Math.min(text.length, at + limits.decodeTurnBytes);
    // Half of a surrogate pair would become another character.
    if (end < text.length && (text.charCodeAt(end - 1) & 0xfc00) === 0xd800) end -= 1;
    parts.push(Buffer.from(encode(text.slice(at, end))));
    at = end;
  }
  return parts;
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

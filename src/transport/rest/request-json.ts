import { ScalarType, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";
import { setImmediate as nextTurn } from "node:timers/promises";
import { reflect } from "@bufbuild/protobuf/reflect";
import { checkJsonBoundsInTurns, requestBounds } from "../../document/json-bounds.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";

/** The JSON of a request without its long bytes. */
export interface RequestJson {
  text: string;
  /** Puts what was taken out into the message that is made of the text. */
  attach(message: Message): void;
}

/**
 * Prepares the JSON of a message of the type, or of a part of one that has no bytes, for the library, so that reading it does not hold up the event loop: what it holds is
 * counted before anything is parsed, and long bytes in base64, which take the library a tenth of a second, are decoded by Buffer.
 * JSON_INVALID for what is not JSON, BODY_TOO_LARGE for more than a request may hold beside its bytes.
 */
export async function prepareRequestJson(
  schema: DescMessage | undefined,
  text: string,
): Promise<RequestJson> {
  const taken: { field: DescField; bytes: Buffer }[] = [];
  let rest = text;
  // From the last to the first, so that what stands before keeps its place.
  for (const { name, start, end } of (
    await checkJsonBoundsInTurns(text, requestBounds)
  ).toReversed()) {
    const field = schema?.fields.find((one) => one.jsonName === name || one.name === name);
    if (field?.fieldKind !== "scalar" || field.scalar !== ScalarType.BYTES) continue;
    await nextTurn();
    const bytes = await decodeBase64(text.slice(start, end));
    if (bytes === undefined) continue;
    taken.push({ field, bytes });
    rest = rest.slice(0, start) + rest.slice(end);
  }
  if (rest.length > limits.structBytes + limits.managementBodyBytes) {
    throw new HostError(
      "BODY_TOO_LARGE",
      `The request has more than ${limits.structBytes} bytes beside the bytes of a document. Send the document as json, in base64.`,
    );
  }
  checkSyntax(rest);
  return {
    text: rest,
    attach(message) {
      for (const { field, bytes } of taken) reflect(field.parent, message).set(field, bytes);
    },
  };
}

function checkSyntax(text: string): void {
  try {
    JSON.parse(text);
  } catch (error) {
    throw new HostError("JSON_INVALID", "The body is not JSON.", { cause: error });
  }
}

/** Undefined for what is not base64 without line breaks: the library has the last word on it. */
async function decodeBase64(text: string): Promise<Buffer | undefined> {
  const base64 = text.includes("\\") ? text.replaceAll("\\/", "/") : text;
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
  const bytes = Buffer.allocUnsafe(Math.floor(((base64.length - padding) * 3) / 4));
  // Whole groups of four at a time.
  const step = limits.decodeTurnBytes & ~3;
  let written = 0;
  for (let at = 0; at < base64.length; at += step) {
    written += bytes.write(base64.slice(at, at + step), written, "base64");
    await nextTurn();
  }
  // The decoder passes over what it does not know.
  return written === bytes.length ? bytes : undefined;
}

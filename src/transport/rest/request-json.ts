import { ScalarType, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";
import { setImmediate as yieldToEventLoop } from "node:timers/promises";
import { reflect } from "@bufbuild/protobuf/reflect";
import { checkJsonBoundsYielding, requestBounds } from "../../document/json-bounds.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";

/** JSON of a request with its bytes fields detached. */
export interface RequestJson {
  text: string;
  /** Restores the detached bytes in the message parsed from the text. */
  attach(message: Message): void;
}

/**
 * Prepares the JSON of a message for the library without blocking the event loop: checks the bounds
 * of its structure before anything is parsed, and decodes base64 bytes with Buffer, which would
 * take the library a tenth of a second for a document. Pass no schema for JSON that has no bytes
 * fields. Throws JSON_INVALID for malformed JSON, and BODY_TOO_LARGE if the request without its
 * bytes is too large.
 */
export async function prepareRequestJson(
  schema: DescMessage | undefined,
  text: string,
): Promise<RequestJson> {
  const detached: { field: DescField; bytes: Buffer }[] = [];
  let rest = text;
  // From last to first, so that earlier offsets stay valid.
  for (const { name, start, end } of (
    await checkJsonBoundsYielding(text, requestBounds)
  ).toReversed()) {
    const field = schema?.fields.find((one) => one.jsonName === name || one.name === name);
    if (field?.fieldKind !== "scalar" || field.scalar !== ScalarType.BYTES) continue;
    await yieldToEventLoop();
    const bytes = await decodeBase64(text.slice(start, end));
    if (bytes === undefined) continue;
    detached.push({ field, bytes });
    rest = rest.slice(0, start) + rest.slice(end);
  }
  if (rest.length > limits.structBytes + limits.managementBodyBytes) {
    throw new HostError(
      "BODY_TOO_LARGE",
      `The request without document bytes exceeds ${limits.structBytes} bytes. Send the document in the field json, as base64.`,
    );
  }
  checkSyntax(rest);
  return {
    text: rest,
    attach(message) {
      for (const { field, bytes } of detached) reflect(field.parent, message).set(field, bytes);
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

/** Returns undefined for anything but base64 without line breaks, which is left to the library. */
async function decodeBase64(text: string): Promise<Buffer | undefined> {
  const base64 = text.includes("\\") ? text.replaceAll("\\/", "/") : text;
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
  const bytes = Buffer.allocUnsafe(Math.floor(((base64.length - padding) * 3) / 4));
  // A multiple of four, so that each slice has complete base64 groups.
  const step = limits.decodeSliceBytes & ~3;
  let written = 0;
  for (let at = 0; at < base64.length; at += step) {
    written += bytes.write(base64.slice(at, at + step), written, "base64");
    await yieldToEventLoop();
  }
  // Buffer ignores invalid characters, so compare the length.
  return written === bytes.length ? bytes : undefined;
}

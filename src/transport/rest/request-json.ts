import { ScalarType, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";
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
 * Prepares the JSON of a message of the type for the library, so that reading it does not hold up the event loop: what it holds is
 * counted before anything is parsed, and long bytes in base64, which take the library a tenth of a second, are decoded by Buffer.
 * JSON_INVALID for what is not JSON, BODY_TOO_LARGE for more than a request may hold beside its bytes.
 */
export async function prepareRequestJson(schema: DescMessage, text: string): Promise<RequestJson> {
  await checkJsonBoundsInTurns(text, requestBounds);
  const json = parse(text);
  const taken = text.length < limits.detachedChars ? [] : longBytes(schema, json, text);
  let rest = text;
  for (const { base64 } of taken) rest = without(rest, base64);
  if (rest.length > limits.structBytes + limits.managementBodyBytes) {
    throw new HostError("BODY_TOO_LARGE", `The request has more than ${limits.structBytes} bytes beside the bytes of a document. Send the document as json, in base64.`);
  }
  return {
    text: rest,
    attach(message) {
      for (const { field, base64 } of taken) reflect(schema, message).set(field, Buffer.from(base64, "base64"));
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HostError("JSON_INVALID", "The body is not JSON.", { cause: error });
  }
}

/** Those that stand in the text as they are; what else may be base64 is left to the library. */
function longBytes(schema: DescMessage, json: unknown, text: string): { field: DescField; base64: string }[] {
  if (typeof json !== "object" || json === null) return [];
  const values = new Map<string, unknown>(Object.entries(json));
  return schema.fields.flatMap((field) => {
    if (field.fieldKind !== "scalar" || field.scalar !== ScalarType.BYTES) return [];
    const base64 = values.get(field.jsonName) ?? values.get(field.name);
    const isLong = typeof base64 === "string" && base64.length >= limits.detachedChars && /^[A-Za-z0-9+/]*={0,2}$/.test(base64);
    return isLong && text.includes(base64) ? [{ field, base64 }] : [];
  });
}

function without(text: string, part: string): string {
  const at = text.indexOf(part);
  return text.slice(0, at) + text.slice(at + part.length);
}

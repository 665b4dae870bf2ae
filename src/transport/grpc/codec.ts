import { fromBinary, toBinary, type DescMessage, type Message } from "@bufbuild/protobuf";
import { HostError } from "../../errors.js";
import { asBuffer } from "./metadata.js";

/** Rejects what is not a message of the type with REQUEST_INVALID. */
export function decode(schema: DescMessage, bytes: Uint8Array): Message {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new HostError("REQUEST_INVALID", `The request is not a ${schema.typeName}.`, { cause: error });
  }
}

export function encode(schema: DescMessage, message: Message): Buffer {
  return asBuffer(toBinary(schema, message));
}

export async function* decodeAll(schema: DescMessage, stream: AsyncIterable<Uint8Array>): AsyncGenerator<Message> {
  for await (const bytes of stream) yield decode(schema, bytes);
}

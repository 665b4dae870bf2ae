import { isMessage, toBinary, type DescMessage, type Message } from "@bufbuild/protobuf";
import { StreamBackupResponseSchema } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { decode } from "../../api/call/decode.js";
import { encodeChunk } from "./encode-chunk.js";
import { asBuffer } from "./metadata.js";

/**
 * Encodes a response. Throws BODY_TOO_LARGE for a message over limits.grpcMessageBytes: grpc-js
 * would end the call as well, but a handler waiting for the message to be sent would never be
 * notified.
 */
export function encode(schema: DescMessage, message: Message): Buffer {
  const bytes =
    isMessage(message, StreamBackupResponseSchema) && message.message.case === "chunk"
      ? encodeChunk(message.message.value)
      : toBinary(schema, message);
  if (bytes.byteLength > limits.grpcMessageBytes) {
    throw new HostError(
      "BODY_TOO_LARGE",
      `The response of ${bytes.byteLength} bytes exceeds the message limit of ${limits.grpcMessageBytes} bytes. Request smaller pages, or bodies as JSON.`,
    );
  }
  return asBuffer(bytes);
}

/** Decodes a stream of requests. `taken` is called when the reader requests the next message. */
export async function* decodeAll(
  schema: DescMessage,
  stream: AsyncIterable<Uint8Array>,
  taken: () => void,
): AsyncGenerator<Message> {
  for await (const bytes of stream) {
    yield decode(schema, bytes);
    taken();
  }
}

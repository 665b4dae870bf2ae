import { toBinary, type DescMessage, type Message } from "@bufbuild/protobuf";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { decode } from "../../api/call/decode.js";
import { asBuffer } from "./metadata.js";

/**
 * Rejects what is over the limit with BODY_TOO_LARGE. grpc-js would end the call as well, but a handler that waits for
 * its message to be taken would never hear of it.
 */
export function encode(schema: DescMessage, message: Message): Buffer {
  const bytes = toBinary(schema, message);
  if (bytes.byteLength > limits.grpcMessageBytes) {
    throw new HostError(
      "BODY_TOO_LARGE",
      `The answer has ${bytes.byteLength} bytes, and a message at most ${limits.grpcMessageBytes}. Ask for smaller pages, or for bodies as JSON.`,
    );
  }
  return asBuffer(bytes);
}

/** `taken` is called when the reader asks for what comes after a message. */
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

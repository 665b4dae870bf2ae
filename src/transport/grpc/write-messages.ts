import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { ServerDuplexStream, ServerWritableStream } from "@grpc/grpc-js";
import { encode } from "./codec.js";
import { metadataOf } from "./metadata.js";
import type { CallContext } from "./call-context.js";

type Sink = ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

/**
 * Sends messages as fast as the client takes them. Rejects with the reason when the context's signal aborts; leaving
 * the loop runs the `finally` of the handler that makes the messages.
 */
export async function writeMessages(call: Sink, schema: DescMessage, messages: AsyncIterable<Message>, context: CallContext) {
  let begun = false;
  for await (const message of messages) {
    context.signal.throwIfAborted();
    if (!begun) call.sendMetadata(metadataOf(context.responseHeader));
    begun = true;
    if (!call.write(encode(schema, message))) await drained(call, context.signal);
  }
  context.signal.throwIfAborted();
  if (!begun) call.sendMetadata(metadataOf(context.responseHeader));
}

function drained(call: Sink, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    call.on("drain", done);
    signal.addEventListener("abort", done);
    // The call may have ended between the write and here: no event would come any more.
    if (signal.aborted) done();
  });
}

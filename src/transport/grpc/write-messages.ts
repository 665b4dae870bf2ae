import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { ServerDuplexStream, ServerWritableStream } from "@grpc/grpc-js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { encode } from "./codec.js";
import type { CallContext } from "./call-context.js";

type Sink = ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

/**
 * Sends messages with backpressure. Rejects with the abort reason of the context's signal, and with
 * STREAM_IDLE if the client reads nothing for idleMs milliseconds. Stopping early runs the
 * `finally` blocks of the message source.
 */
export async function writeMessages(
  call: Sink,
  schema: DescMessage,
  messages: AsyncIterable<Message>,
  context: CallContext,
  idleMs: number,
) {
  let begun = false;
  const begin = () => {
    if (!begun) call.sendMetadata(context.responseMetadata());
    begun = true;
  };
  const send = boundedSender(call, context.signal, idleMs);
  for await (const message of messages) {
    context.signal.throwIfAborted();
    begin();
    await send(encode(schema, message));
  }
  context.signal.throwIfAborted();
  begin();
}

/** Bounds the bytes that wait to be sent; grpc-js bounds only their number. */
function boundedSender(
  call: Sink,
  signal: AbortSignal,
  idleMs: number,
): (bytes: Buffer) => Promise<void> | void {
  let waitingBytes = 0;
  let onTaken = () => {};

  const untilTaken = () =>
    new Promise<void>((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
        onTaken = () => {};
        act();
      };
      const abort = () => settle(resolve);
      // A client that reads nothing would hold the resources of the message source forever.
      const timer = setTimeout(
        () =>
          settle(() =>
            reject(
              new HostError(
                "STREAM_IDLE",
                `Stream ended: the client read nothing for ${idleMs / 1000} s.`,
              ),
            ),
          ),
        idleMs,
      );
      onTaken = () => (waitingBytes > limits.streamBufferBytes ? timer.refresh() : settle(resolve));
      signal.addEventListener("abort", abort);
      // If the call has already ended, no further event is emitted.
      if (signal.aborted) abort();
    });

  return (bytes) => {
    waitingBytes += bytes.length;
    call.write(bytes, () => {
      waitingBytes -= bytes.length;
      onTaken();
    });
    return waitingBytes > limits.streamBufferBytes ? untilTaken() : undefined;
  };
}

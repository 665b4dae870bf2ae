import type { DescMessage, Message } from "@bufbuild/protobuf";
import type { ServerDuplexStream, ServerWritableStream } from "@grpc/grpc-js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { encode } from "./codec.js";
import type { CallContext } from "./call-context.js";

type Sink = ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

/**
 * Sends messages as fast as the client takes them. Rejects with the reason when the context's signal aborts, and with
 * STREAM_IDLE when the client has taken nothing for idleMs; leaving the loop runs the `finally` of the handler that makes
 * the messages.
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

/** grpc-js counts waiting messages, not their bytes: of large ones it would hold too much. */
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
      // One who reads nothing would hold for ever what the messages are made of.
      const timer = setTimeout(
        () =>
          settle(() =>
            reject(
              new HostError(
                "STREAM_IDLE",
                `Nothing was taken for ${idleMs / 1000} s, so the stream was ended.`,
              ),
            ),
          ),
        idleMs,
      );
      onTaken = () => (waitingBytes > limits.streamBufferBytes ? timer.refresh() : settle(resolve));
      signal.addEventListener("abort", abort);
      // The call may have ended before: no event would come any more.
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

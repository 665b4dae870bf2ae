import type { Message } from "@bufbuild/protobuf";
import type { MethodImplSpec } from "@connectrpc/connect";
import type {
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  sendUnaryData,
} from "@grpc/grpc-js";
import { HostError } from "../../errors.js";
import { decode } from "../../api/call/decode.js";
import { invoke, one, onlyMessage } from "../../api/call/invoke.js";
import { hostErrorOf } from "../../api/status.js";
import { callContext, type Call, type CallContext, type CallOptions } from "./call-context.js";
import { decodeAll, encode } from "./codec.js";
import { serviceErrorOf } from "./error.js";
import { messageTaken } from "./guard.js";
import { observeCall } from "./observe.js";
import { writeMessages } from "./write-messages.js";

/** Creates the grpc-js handler of a method, unary or streaming. */
export function handlerOf(spec: MethodImplSpec, options: CallOptions) {
  switch (spec.kind) {
    case "unary":
      return unary(spec, options);
    case "server_streaming":
      return serverStreaming(spec, options);
    case "client_streaming":
      return clientStreaming(spec, options);
    case "bidi_streaming":
      return bidiStreaming(spec, options);
  }
}

function unary(spec: MethodImplSpec, options: CallOptions): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) =>
    void answerOnce(spec, options, call, callback, () =>
      one(decode(spec.method.input, call.request)),
    );
}

function clientStreaming(
  spec: MethodImplSpec,
  options: CallOptions,
): handleClientStreamingCall<Buffer, Buffer> {
  return (call, callback) =>
    void answerOnce(spec, options, call, callback, () =>
      decodeAll(spec.method.input, call.iterator({ destroyOnReturn: false }), () =>
        messageTaken(call.metadata),
      ),
    );
}

function serverStreaming(
  spec: MethodImplSpec,
  options: CallOptions,
): handleServerStreamingCall<Buffer, Buffer> {
  return (call) =>
    void answerMany(spec, options, call, () => one(decode(spec.method.input, call.request)));
}

function bidiStreaming(
  spec: MethodImplSpec,
  options: CallOptions,
): handleBidiStreamingCall<Buffer, Buffer> {
  // `for await` over the call itself would destroy it when the requests end, before all responses
  // are sent.
  return (call) =>
    void answerMany(spec, options, call, () =>
      decodeAll(spec.method.input, call.iterator({ destroyOnReturn: false }), () =>
        messageTaken(call.metadata),
      ),
    );
}

/** Decodes the messages of a request; may throw. */
type Input = () => AsyncIterable<Message>;

async function answerOnce(
  spec: MethodImplSpec,
  options: CallOptions,
  call: Call,
  callback: sendUnaryData<Buffer>,
  input: Input,
) {
  const context = callContext(spec, call);
  await run(
    spec,
    options,
    context,
    call,
    input,
    async (output) => {
      const bytes = encode(spec.method.output, await onlyMessage(output));
      call.sendMetadata(context.responseMetadata());
      callback(null, bytes, context.trailerMetadata());
    },
    callback,
  );
}

async function answerMany(
  spec: MethodImplSpec,
  options: CallOptions,
  call: Parameters<typeof writeMessages>[0],
  input: Input,
) {
  const context = callContext(spec, call);
  await run(
    spec,
    options,
    context,
    call,
    input,
    async (output) => {
      await writeMessages(call, spec.method.output, output, context, options.idleMs);
      call.end(context.trailerMetadata());
    },
    (error) => call.emit("error", error),
  );
}

/** Shared by all calls: it is never reported, and creating an error captures a stack trace. */
const callEnded = new HostError("OPERATION_CANCELLED", "The call has ended.");

async function run(
  spec: MethodImplSpec,
  options: CallOptions,
  context: CallContext,
  call: Call,
  input: Input,
  answer: (output: AsyncIterable<Message>) => Promise<void>,
  fail: (error: ReturnType<typeof serviceErrorOf>) => void,
) {
  options.running.add(context);
  const ended = observeCall(options.observer, call);
  try {
    await answer(await invoke(spec, context, input(), options.interceptors));
    ended();
  } catch (thrown) {
    const error = hostErrorOf(thrown, options.onInternalError);
    fail(serviceErrorOf(error, context.trailerMetadata()));
    ended(error);
  } finally {
    options.running.delete(context);
    // Stops work that the handler left running on this signal, and the deadline timer.
    context.abort(callEnded);
  }
}

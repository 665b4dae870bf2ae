import type { Message } from "@bufbuild/protobuf";
import type { MethodImplSpec } from "@connectrpc/connect";
import type {
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  sendUnaryData,
} from "@grpc/grpc-js";
import type { Readable } from "node:stream";
import { HostError } from "../../errors.js";
import { decode } from "../../api/call/decode.js";
import { invoke, invokeUnary, one, onlyMessage } from "../../api/call/invoke.js";
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

function unary(
  spec: Extract<MethodImplSpec, { kind: "unary" }>,
  options: CallOptions,
): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) =>
    void answerOnce(spec, options, call, callback, (context) =>
      invokeUnary(spec, context, decode(spec.method.input, call.request), options.interceptors),
    );
}

function clientStreaming(
  spec: MethodImplSpec,
  options: CallOptions,
): handleClientStreamingCall<Buffer, Buffer> {
  return (call, callback) =>
    void answerOnce(spec, options, call, callback, async (context) =>
      onlyMessage(await invoke(spec, context, requestsOf(spec, call), options.interceptors)),
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
  return (call) => void answerMany(spec, options, call, () => requestsOf(spec, call));
}

/** Decodes the messages of a request. `for await` over the call itself would destroy it when the requests end. */
function requestsOf(
  { method }: MethodImplSpec,
  call: Call & Pick<Readable, "iterator">,
): AsyncIterable<Message> {
  return decodeAll(method.input, call.iterator({ destroyOnReturn: false }), () =>
    messageTaken(call.metadata),
  );
}

async function answerOnce(
  spec: MethodImplSpec,
  options: CallOptions,
  call: Call,
  callback: sendUnaryData<Buffer>,
  answer: (context: CallContext) => Promise<Message>,
) {
  const context = callContext(spec, call);
  const work = async () => {
    const bytes = encode(spec.method.output, await answer(context));
    call.sendMetadata(context.responseMetadata());
    callback(null, bytes, context.trailerMetadata());
  };
  await run(options, context, call, work, callback);
}

async function answerMany(
  spec: MethodImplSpec,
  options: CallOptions,
  call: Parameters<typeof writeMessages>[0],
  requests: () => AsyncIterable<Message>,
) {
  const context = callContext(spec, call);
  const work = async () => {
    const output = await invoke(spec, context, requests(), options.interceptors);
    await writeMessages(call, spec.method.output, output, context, options.idleMs);
    call.end(context.trailerMetadata());
  };
  await run(options, context, call, work, (error) => call.emit("error", error));
}

/** Shared by all calls: it is never reported, and creating an error captures a stack trace. */
const callEnded = new HostError("OPERATION_CANCELLED", "The call has ended.");

async function run(
  options: CallOptions,
  context: CallContext,
  call: Call,
  work: () => Promise<void>,
  fail: (error: ReturnType<typeof serviceErrorOf>) => void,
) {
  options.running.add(context);
  const ended = observeCall(options.observer, call);
  try {
    await work();
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

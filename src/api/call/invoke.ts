import { create, type Message } from "@bufbuild/protobuf";
import type { HandlerContext, Interceptor, MethodImplSpec } from "@connectrpc/connect";
import { HostError } from "../../errors.js";

type Next = Parameters<Interceptor>[0];

/**
 * Calls one method behind interceptors, whatever its shape: messages in, messages out. A method that takes or answers
 * a single message has a stream of one. Interceptors see what they would see under Connect's own server, so they
 * serve every transport. Rejects with whatever the method or an interceptor threw.
 */
export async function invoke(
  spec: MethodImplSpec,
  context: HandlerContext,
  input: AsyncIterable<Message>,
  interceptors: readonly Interceptor[],
): Promise<AsyncIterable<Message>> {
  let next = callMethod(spec, context);
  for (const interceptor of interceptors.toReversed()) next = interceptor(next);
  const response = await (spec.kind === "unary"
    ? next(
        withContext(context, {
          stream: false as const,
          method: spec.method,
          message: await onlyMessage(input),
        }),
      )
    : next(withContext(context, { stream: true as const, method: spec.method, message: input })));
  return response.stream ? response.message : one(response.message);
}

/** What interceptors see of a call; read from the context when it is asked for, since most calls ask for nothing. */
function withContext<T extends object>(context: HandlerContext, shape: T) {
  return Object.defineProperties(shape, {
    service: { value: context.service, enumerable: true },
    requestMethod: { value: context.requestMethod, enumerable: true },
    url: { get: () => context.url, enumerable: true },
    signal: { get: () => context.signal, enumerable: true },
    header: { get: () => context.requestHeader, enumerable: true },
    contextValues: { get: () => context.values, enumerable: true },
  }) as T & {
    service: HandlerContext["service"];
    requestMethod: string;
    url: string;
    signal: AbortSignal;
    header: Headers;
    contextValues: HandlerContext["values"];
  };
}

function answered<T extends object>(context: HandlerContext, shape: T) {
  return Object.defineProperties(shape, {
    service: { value: context.service, enumerable: true },
    header: { get: () => context.responseHeader, enumerable: true },
    trailer: { get: () => context.responseTrailer, enumerable: true },
  }) as T & { service: HandlerContext["service"]; header: Headers; trailer: Headers };
}

function callMethod(spec: MethodImplSpec, context: HandlerContext): Next {
  return async (request) => {
    if (request.stream) {
      if (spec.kind === "unary") throw new TypeError(`${spec.method.name} takes one message`);
      return answered(context, {
        stream: true as const,
        method: spec.method,
        message: await callStreaming(spec, context, request.message),
      });
    }
    if (spec.kind !== "unary") throw new TypeError(`${spec.method.name} is a stream`);
    const answer = await spec.impl(request.message, context);
    return answered(context, {
      stream: false as const,
      method: spec.method,
      message: create(spec.method.output, answer),
    });
  };
}

async function callStreaming(
  spec: Exclude<MethodImplSpec, { kind: "unary" }>,
  context: HandlerContext,
  input: AsyncIterable<Message>,
): Promise<AsyncIterable<Message>> {
  const { output } = spec.method;
  switch (spec.kind) {
    case "client_streaming":
      return one(create(output, await spec.impl(input, context)));
    case "server_streaming":
      return map(spec.impl(await onlyMessage(input), context), (answer) => create(output, answer));
    case "bidi_streaming":
      return map(spec.impl(input, context), (answer) => create(output, answer));
  }
}

/** The first message of a stream. */
export async function onlyMessage<T>(messages: AsyncIterable<T>): Promise<T> {
  for await (const message of messages) return message;
  throw new HostError("REQUEST_INVALID", "The call ended without a message.");
}

/** A stream of one. */
export async function* one<T>(message: T): AsyncGenerator<T> {
  yield message;
}

/** A stream with each of its items changed. */
export async function* map<A, B>(
  items: AsyncIterable<A>,
  change: (item: A) => B,
): AsyncGenerator<B> {
  for await (const item of items) yield change(item);
}

import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import type {
  HandlerContext,
  Interceptor,
  MethodImplSpec,
  UnaryRequest,
  UnaryResponse,
} from "@connectrpc/connect";
import { HostError } from "../../errors.js";

type Next = Parameters<Interceptor>[0];

/**
 * Calls a method of any kind through interceptors. A single request or response is passed as a
 * stream with one message. Interceptors see the same values as in Connect's own server, so they
 * work with every transport. Rejects with any error of the method or an interceptor.
 */
export async function invoke(
  spec: MethodImplSpec,
  context: HandlerContext,
  input: AsyncIterable<Message>,
  interceptors: readonly Interceptor[],
): Promise<AsyncIterable<Message>> {
  if (spec.kind === "unary")
    return one(await invokeUnary(spec, context, await onlyMessage(input), interceptors));
  const response = await through(
    spec,
    context,
    interceptors,
  )(withContext(context, { stream: true as const, method: spec.method, message: input }));
  return response.stream ? response.message : one(response.message);
}

/** Calls a unary method as `invoke` does, without streams of one message: most calls are short. */
export async function invokeUnary(
  spec: Extract<MethodImplSpec, { kind: "unary" }>,
  context: HandlerContext,
  message: Message,
  interceptors: readonly Interceptor[],
): Promise<Message> {
  const response = await through(
    spec,
    context,
    interceptors,
  )(new UnaryCall(context, spec.method, message));
  if (response.stream) throw new TypeError(`${spec.method.name} answers with a single message`);
  return response.message;
}

/** Returns the method behind its interceptors. */
function through(
  spec: MethodImplSpec,
  context: HandlerContext,
  interceptors: readonly Interceptor[],
): Next {
  return interceptors.reduceRight(
    (next, interceptor) => interceptor(next),
    callMethod(spec, context),
  );
}

/**
 * A unary request as interceptors see it. A class, because defining its properties for each call takes longer than the
 * rest of the call.
 */
class UnaryCall implements UnaryRequest {
  readonly stream = false;

  constructor(
    private readonly context: HandlerContext,
    readonly method: DescMethod & { methodKind: "unary" },
    readonly message: Message,
  ) {}

  get service() {
    return this.context.service;
  }

  get requestMethod() {
    return this.context.requestMethod;
  }

  get url() {
    return this.context.url;
  }

  get signal() {
    return this.context.signal;
  }

  get header() {
    return this.context.requestHeader;
  }

  get contextValues() {
    return this.context.values;
  }
}

/** The response to a UnaryCall. */
class UnaryAnswer implements UnaryResponse {
  readonly stream = false;

  constructor(
    private readonly context: HandlerContext,
    readonly method: DescMethod & { methodKind: "unary" },
    readonly message: Message,
  ) {}

  get service() {
    return this.context.service;
  }

  get header() {
    return this.context.responseHeader;
  }

  get trailer() {
    return this.context.responseTrailer;
  }
}

/**
 * Adds the properties visible to interceptors of a stream, as its own ones, which they copy. They are evaluated lazily
 * because most calls do not use them.
 */
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

function withResponse<T extends object>(context: HandlerContext, shape: T) {
  return Object.defineProperties(shape, {
    service: { value: context.service, enumerable: true },
    header: { get: () => context.responseHeader, enumerable: true },
    trailer: { get: () => context.responseTrailer, enumerable: true },
  }) as T & { service: HandlerContext["service"]; header: Headers; trailer: Headers };
}

function callMethod(spec: MethodImplSpec, context: HandlerContext): Next {
  return async (request) => {
    if (request.stream) {
      if (spec.kind === "unary")
        throw new TypeError(`${spec.method.name} requires a single message`);
      return withResponse(context, {
        stream: true as const,
        method: spec.method,
        message: await callStreaming(spec, context, request.message),
      });
    }
    if (spec.kind !== "unary") throw new TypeError(`${spec.method.name} requires a stream`);
    const answer = await spec.impl(request.message, context);
    return new UnaryAnswer(context, spec.method, create(spec.method.output, answer));
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

/** Returns the first message of a stream. Throws REQUEST_INVALID for an empty stream. */
export async function onlyMessage<T>(messages: AsyncIterable<T>): Promise<T> {
  for await (const message of messages) return message;
  throw new HostError("REQUEST_INVALID", "The request contains no message.");
}

/** Returns a stream with one message. */
export async function* one<T>(message: T): AsyncGenerator<T> {
  yield message;
}

/** Applies a function to each item of a stream. */
export async function* map<A, B>(
  items: AsyncIterable<A>,
  change: (item: A) => B,
): AsyncGenerator<B> {
  for await (const item of items) yield change(item);
}

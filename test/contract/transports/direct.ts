import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodStreaming,
  type DescMethodUnary,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createHandlerContext,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from "@connectrpc/connect";
import type { BoundService } from "../../../src/api/call/bound-service.js";
import { checkInterceptors, type CallChecks } from "../../../src/api/policy/interceptors.js";
import { invoke, map, one, onlyMessage } from "../../../src/api/call/invoke.js";
import { connectErrorOf, hostErrorOf } from "../../../src/api/status.js";

type HeadersGiven = ConstructorParameters<typeof Headers>[0];

/** Calls services in this process, with only the checks that every transport applies to a call. */
export function directTransport(services: readonly BoundService[], checks: CallChecks): Transport {
  const interceptors = checkInterceptors(checks);
  const fail = (thrown: unknown): never => {
    throw connectErrorOf(hostErrorOf(thrown));
  };

  async function call(
    method: DescMethod,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersGiven | undefined,
    input: AsyncIterable<Message>,
  ) {
    const spec = services.find(({ service }) => service.typeName === method.parent.typeName)
      ?.methods[method.localName];
    if (!spec || spec.method.name !== method.name)
      throw new ConnectError(`There is no method ${method.name}.`, Code.Unimplemented);
    const context = createHandlerContext({
      service: method.parent,
      method: spec.method,
      protocolName: "direct",
      requestMethod: "POST",
      url: "http://localhost/",
      requestHeader: new Headers(header),
      ...(signal && { requestSignal: signal }),
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
    return { context, output: await invoke(spec, context, input, interceptors).catch(fail) };
  }

  /** The first response is requested at once: headers may be set until then. */
  async function* guarded<T>(
    first: IteratorResult<T>,
    items: AsyncIterable<T>,
    done: () => void,
  ): AsyncGenerator<T> {
    try {
      if (first.done) return;
      yield first.value;
      yield* items;
    } catch (thrown) {
      fail(thrown);
    } finally {
      done();
    }
  }

  return {
    async unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersGiven | undefined,
      input: MessageInitShape<I>,
    ) {
      const { context, output } = await call(
        method,
        signal,
        timeoutMs,
        header,
        one(create(method.input, input)),
      );
      const message = await onlyMessage(output).catch(fail);
      context.abort();
      return {
        stream: false,
        service: method.parent,
        method,
        header: context.responseHeader,
        trailer: context.responseTrailer,
        message: message as MessageShape<O>,
      } satisfies UnaryResponse<I, O>;
    },
    async stream<I extends DescMessage, O extends DescMessage>(
      method: DescMethodStreaming<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeadersGiven | undefined,
      input: AsyncIterable<MessageInitShape<I>>,
    ) {
      const { context, output } = await call(
        method,
        signal,
        timeoutMs,
        header,
        map(input, (init) => create(method.input, init)),
      );
      const items = output[Symbol.asyncIterator]();
      const first = await items.next().catch(fail);
      const message = guarded(first, { [Symbol.asyncIterator]: () => items }, () =>
        context.abort(),
      ) as AsyncIterable<MessageShape<O>>;
      return {
        stream: true,
        service: method.parent,
        method,
        header: context.responseHeader,
        trailer: context.responseTrailer,
        message,
      } satisfies StreamResponse<I, O>;
    },
  };
}

import type { Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { connectErrorOf, hostErrorOf, type OnInternalError } from "../../api/status.js";

/**
 * Converts whatever a call throws into the error sent to the client, and ends a call at its
 * deadline or when the client disconnects, even if the method ignores its signal.
 */
export function errorInterceptor(onInternalError: OnInternalError): Interceptor {
  const fail = (thrown: unknown): never => {
    throw connectErrorOf(hostErrorOf(thrown, onInternalError));
  };
  return (next) => async (request) => {
    // Inner interceptors may throw synchronously.
    const work = Promise.resolve().then(() => next(request));
    const response = await untilAborted(work, request.signal).catch(fail);
    return response.stream ? { ...response, message: guarded(response.message, fail) } : response;
  };
}

async function* guarded(
  messages: AsyncIterable<Message>,
  fail: (thrown: unknown) => never,
): AsyncGenerator<Message> {
  try {
    yield* messages;
  } catch (thrown) {
    fail(thrown);
  }
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    void work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

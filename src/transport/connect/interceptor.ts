import type { Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { connectErrorOf, hostErrorOf, type OnInternalError } from "../../api/status.js";

/**
 * Turns whatever a call throws into the error that its caller is answered with, and ends a call at its deadline and
 * when its client leaves, also where the method does not look at its signal.
 */
export function errorInterceptor(onInternalError: OnInternalError): Interceptor {
  const fail = (thrown: unknown): never => {
    throw connectErrorOf(hostErrorOf(thrown, onInternalError));
  };
  return (next) => async (request) => {
    // Those further in may throw before they return a promise.
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

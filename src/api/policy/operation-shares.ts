import type { Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import {
  OperationSchema,
  type Operation,
} from "../../../gen/ts/google/longrunning/operations_pb.js";
import type { Identify } from "../../security/clients.js";
import type { ClientShares } from "../../service/host/client-shares.js";
import type { Hold } from "../../security/shares.js";
import { bearerTokenOf } from "./authorization.js";

/** Methods that start an operation and wait for it themselves. */
const streaming: ReadonlySet<string> = new Set(["StreamBackup", "StreamRestore"]);

async function* releasing(messages: AsyncIterable<Message>, hold: Hold): AsyncGenerator<Message> {
  try {
    yield* messages;
  } finally {
    hold.release();
  }
}

/** Charges operations to the client that starts them, and streams while they run. */
export function operationSharesInterceptor(shares: ClientShares, identify: Identify): Interceptor {
  return (next) => async (request) => {
    const { method } = request;
    if (request.stream && streaming.has(method.name)) {
      const hold = shares.stream(
        identify(bearerTokenOf(request.header.get("authorization")), undefined),
      );
      // A response stream that is never read does not run its finally block.
      request.signal.addEventListener("abort", hold.release, { once: true });
      try {
        const response = await next(request);
        if (response.stream) return { ...response, message: releasing(response.message, hold) };
        hold.release();
        return response;
      } catch (error) {
        hold.release();
        throw error;
      }
    }
    if (
      request.stream ||
      method.output.typeName !== OperationSchema.typeName ||
      method.parent.typeName.startsWith("google.")
    )
      return next(request);
    const client = identify(bearerTokenOf(request.header.get("authorization")), undefined);
    const { response } = await shares.operation(client, async () => {
      const response = await next(request);
      const { name, done } = response.message as Message as Operation;
      return { name, done, response };
    });
    return response;
  };
}

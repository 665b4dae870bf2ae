import type { Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import type { Identify } from "../../security/clients.js";
import type { ClientShares } from "../../service/client-shares.js";
import { bearerTokenOf } from "./authorization.js";

const operationType = "google.longrunning.Operation";

/** Counts what a call starts as its client's: calls of the management that answer with an operation. */
export function operationSharesInterceptor(shares: ClientShares, identify: Identify): Interceptor {
  return (next) => async (request) => {
    const { method } = request;
    if (request.stream || method.output.typeName !== operationType || method.parent.typeName.startsWith("google.")) return next(request);
    const client = identify(bearerTokenOf(request.header.get("authorization")), undefined);
    const { response } = await shares.operation(client, async () => {
      const answered = await next(request);
      const { name, done } = answered.message as Message as Operation;
      return { name, done, response: answered };
    });
    return response;
  };
}

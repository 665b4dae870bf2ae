import { create, isMessage, type Message } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import type { IncomingMessage } from "node:http";
import {
  OperationSchema,
  Operations,
  WaitOperationRequestSchema,
  type Operation,
} from "../../../gen/ts/google/longrunning/operations_pb.js";
import type { BoundService } from "../../api/call/bound-service.js";
import { onlyMessage, invoke, one } from "../../api/call/invoke.js";
import { acceptedHeaders, preferenceOf } from "../http/prefer.js";

/** How an answer goes out: the message, with the status and headers that the client's preference leads to. */
export interface Preferred {
  message: Message;
  status: number;
  headers: string[];
}

/**
 * Honours `Prefer: wait=N` and `respond-async` where a request has begun an operation: waits for it as long as the
 * client says, and answers 202 with its place if it is not done then. Without a preference the operation is answered as it is.
 */
export type ApplyPreference = (
  request: IncomingMessage,
  message: Message,
  context: HandlerContext,
) => Promise<Preferred>;

export function operationPreference(services: readonly BoundService[]): ApplyPreference {
  const wait = services.find(({ service }) => service.typeName === Operations.typeName)?.methods[
    Operations.method.waitOperation.localName
  ];
  return async (request, message, context) => {
    const preference =
      request.method === "POST" && isMessage(message, OperationSchema)
        ? preferenceOf(request)
        : undefined;
    if (!preference || !wait || !isMessage(message, OperationSchema))
      return { message, status: 200, headers: [] };
    let operation: Operation = message;
    if (preference.waitMs > 0 && !operation.done) {
      const asked = create(WaitOperationRequestSchema, {
        name: operation.name,
        timeout: durationFromMs(preference.waitMs),
      });
      const answer = await onlyMessage(await invoke(wait, context, one(asked), []));
      if (isMessage(answer, OperationSchema)) operation = answer;
    }
    if (operation.done)
      return {
        message: operation,
        status: 200,
        headers: ["preference-applied", preference.applied],
      };
    return {
      message: operation,
      status: 202,
      headers: acceptedHeaders(operation.name, preference.applied),
    };
  };
}

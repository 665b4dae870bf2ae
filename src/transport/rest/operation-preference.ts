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

/** A response message with the status and headers that follow from the client's preference. */
export interface Preferred {
  message: Message;
  status: number;
  headers: string[];
}

/**
 * Applies `Prefer: wait=N` and `respond-async` to a request that started an operation: waits for up
 * to the requested time, then responds 202 with the location of the operation if it still runs.
 * Without a preference the operation is returned immediately.
 */
export type ApplyPreference = (
  request: IncomingMessage,
  message: Message,
  context: HandlerContext,
) => Promise<Preferred>;

/** Creates the function, which uses the WaitOperation method of the given services. */
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
      const waitRequest = create(WaitOperationRequestSchema, {
        name: operation.name,
        timeout: durationFromMs(preference.waitMs),
      });
      const answer = await onlyMessage(await invoke(wait, context, one(waitRequest), []));
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

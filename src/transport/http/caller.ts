import type { IncomingMessage } from "node:http";
import type { Caller, Protocol } from "../../security/caller.js";
import { bearerTokenOf } from "../../api/policy/authorization.js";

/** Returns the caller of a request received over the given protocol. */
export function callerOf({ headers, socket }: IncomingMessage, via: Protocol): Caller {
  return { via, bearerToken: bearerTokenOf(headers.authorization), address: socket.remoteAddress };
}

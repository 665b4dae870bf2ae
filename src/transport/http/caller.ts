import type { IncomingMessage } from "node:http";
import type { Caller, Surface } from "../../security/caller.js";
import { bearerTokenOf } from "../../api/policy/authorization.js";

/** Who sent a request of that way in. */
export function callerOf({ headers, socket }: IncomingMessage, via: Surface): Caller {
  return { via, bearerToken: bearerTokenOf(headers.authorization), address: socket.remoteAddress };
}

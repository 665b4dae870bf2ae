import { identifyBy, type Client, type Identify } from "../security/clients.js";
import type { FailedLogins } from "../security/failed-logins.js";
import {
  connectionLimits,
  type Connection,
  type ConnectionLimits,
  Connections,
} from "./connections.js";
import { createRequestShares, type RequestShares } from "./request-shares.js";

/**
 * Admission control shared by the ports of a host: client identification and the limits per client.
 */
export interface Admission {
  identify: Identify;
  shares: RequestShares;
  /** If omitted, responses to unknown tokens are not delayed. */
  failedLogins?: FailedLogins;
  connectionLimits: ConnectionLimits;
  /** Called periodically with the number of connections closed to make room for others. */
  onShed?: (count: number) => void;
}

/** Returns admission control for a single port without tokens. */
export function openAdmission(): Admission {
  return {
    identify: identifyBy(undefined),
    shares: createRequestShares(),
    connectionLimits: connectionLimits(),
  };
}

/** Creates the connection table of one port. */
export function connectionsOf({ connectionLimits, onShed }: Admission): Connections {
  return new Connections(connectionLimits, onShed);
}

/**
 * Identifies the client of a request and returns the delay to apply before a request with an
 * unknown token is rejected, in milliseconds.
 */
export function admit(
  { identify, failedLogins }: Admission,
  connections: Connections,
  connection: Connection | undefined,
  token: string | undefined,
  address: string | undefined,
): { client: Client; delayMs: number } {
  if (connection?.client?.authenticated && connection.token === token)
    return { client: connection.client, delayMs: 0 };
  const client = identify(token, address);
  if (connection) connections.identified(connection, client, token);
  const delayMs =
    client.authenticated || token === undefined ? 0 : (failedLogins?.note(address) ?? 0);
  return { client, delayMs };
}

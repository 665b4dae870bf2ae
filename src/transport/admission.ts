import { identifyBy, type Client, type Identify } from "../security/clients.js";
import type { FailedLogins } from "../security/failed-logins.js";
import {
  connectionLimits,
  createConnections,
  type Connection,
  type ConnectionLimits,
  type Connections,
} from "./connections.js";
import { createRequestShares, type RequestShares } from "./request-shares.js";

/** What the ports of a host share: who its clients are, and what each of them may take. */
export interface Admission {
  identify: Identify;
  shares: RequestShares;
  /** Absent: answers to unknown tokens are not slowed. */
  failedLogins?: FailedLogins;
  connectionLimits: ConnectionLimits;
  /** Told how many connections of a port had to go for others. */
  onShed?: (count: number) => void;
}

/** That of a port of its own, where no tokens are asked for. */
export function openAdmission(): Admission {
  return {
    identify: identifyBy(undefined),
    shares: createRequestShares(),
    connectionLimits: connectionLimits(),
  };
}

export function connectionsOf({ connectionLimits: most, onShed }: Admission): Connections {
  return createConnections(most, onShed);
}

/** The client of a request on a connection, and how long the answer to its unknown token has to wait. */
export function admit(
  { identify, failedLogins }: Admission,
  connections: Connections,
  connection: Connection | undefined,
  token: string | undefined,
  address: string | undefined,
): { client: Client; delayMs: number } {
  // The same token as before: nothing has to be looked up.
  if (connection?.client?.authenticated && connection.token === token)
    return { client: connection.client, delayMs: 0 };
  const client = identify(token, address);
  if (connection) connections.identified(connection, client, token);
  const delayMs =
    client.authenticated || token === undefined ? 0 : (failedLogins?.note(address) ?? 0);
  return { client, delayMs };
}

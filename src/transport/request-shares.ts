import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { createShares, type Shares, type Shortage } from "../security/shares.js";

/** What clients share of the host on its ports. */
export interface RequestShares {
  /** Bytes of bodies and messages that requests in flight hold in memory. */
  bytes: Shares;
  /** gRPC calls in flight. */
  calls: Shares;
}

const who: Record<Shortage, string> = {
  all: "Requests in flight",
  client: "Requests in flight of this client",
  strangers: "Requests in flight without a known token",
};

export function createRequestShares(): RequestShares {
  const {
    requestBytes,
    requestBytesPerClient,
    requestBytesOfStrangers,
    calls,
    callsPerClient,
    callsOfStrangers,
  } = limits;
  return {
    bytes: createShares(
      { total: requestBytes, perClient: requestBytesPerClient, strangers: requestBytesOfStrangers },
      (shortage, most) =>
        new HostError(
          "OVERLOADED",
          `${who[shortage]} hold as much memory as they may (${most} bytes). Send the request again in a moment, or send fewer at a time.`,
          { metadata: { limit: String(most) } },
        ),
    ),
    calls: createShares(
      { total: calls, perClient: callsPerClient, strangers: callsOfStrangers },
      (shortage, most) =>
        new HostError(
          "OVERLOADED",
          `${who[shortage]} are as many as they may be (${most} gRPC calls). Make the call again when others have ended.`,
          { metadata: { limit: String(most) } },
        ),
    ),
  };
}

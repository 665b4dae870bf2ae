import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { createShares, type Shares, type Shortage } from "../security/shares.js";

/** Host resources that clients share. */
export interface RequestShares {
  /** Bytes of bodies and messages held in memory by requests in flight. */
  bytes: Shares;
  /** Memory of answers with large documents, until they are sent. */
  answers: Shares;
  /** gRPC calls in flight. */
  calls: Shares;
}

const requestsOf: Record<Shortage, string> = {
  all: "Requests in flight",
  client: "Requests in flight of this client",
  unauthenticated: "Requests in flight without a known token",
};

const answersOf: Record<Shortage, string> = {
  all: "Answers with large documents",
  client: "Answers with large documents to this client",
  unauthenticated: "Answers with large documents without a known token",
};

/** Creates the shares with the bounds in limits.ts. Exceeding one throws OVERLOADED. */
export function createRequestShares(): RequestShares {
  const {
    requestBytes,
    requestBytesPerClient,
    unauthenticatedRequestBytes,
    calls,
    callsPerClient,
    unauthenticatedCalls,
  } = limits;
  return {
    bytes: createShares(
      {
        total: requestBytes,
        perClient: requestBytesPerClient,
        unauthenticated: unauthenticatedRequestBytes,
      },
      (shortage, most) =>
        new HostError(
          "OVERLOADED",
          `${requestsOf[shortage]} exceed the memory limit of ${most} bytes. Retry later or send fewer requests at a time.`,
          { metadata: { limit: String(most) } },
        ),
    ),
    answers: createShares(
      { total: limits.answerBytes, perClient: limits.answerBytesPerClient },
      (shortage, most) =>
        new HostError(
          "OVERLOADED",
          `${answersOf[shortage]} exceed the memory limit of ${most} bytes. Retry when other answers have arrived, or ask for fewer large documents at a time.`,
          { metadata: { limit: String(most) } },
        ),
    ),
    calls: createShares(
      { total: calls, perClient: callsPerClient, unauthenticated: unauthenticatedCalls },
      (shortage, most) =>
        new HostError(
          "OVERLOADED",
          `${requestsOf[shortage]} reached the limit of ${most} concurrent gRPC calls. Retry when other calls have ended.`,
          { metadata: { limit: String(most) } },
        ),
    ),
  };
}

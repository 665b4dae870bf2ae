import type { TokenTable } from "./tokens.js";

/**
 * Protocol of a request: the Xenon API, /local-files, REST, Connect and gRPC-Web, gRPC, or other
 * endpoints such as /metrics.
 */
export type Protocol = "xenon" | "files" | "rest" | "connect" | "grpc" | "other";

/** The sender of a request. */
export interface Caller {
  via: Protocol;
  bearerToken: string | undefined;
  /** Remote address without port; undefined for calls from this process. */
  address: string | undefined;
}

/**
 * Returns the name of the caller's token for logs, or undefined if it has no or an unknown token.
 */
export function tokenNameOf(
  tokens: TokenTable | undefined,
  { bearerToken }: Caller,
): string | undefined {
  return bearerToken === undefined ? undefined : tokens?.find(bearerToken)?.name;
}

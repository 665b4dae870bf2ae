import type { TokenTable } from "./tokens.js";

/** The ways in: Xenon's dialect, /local-files, REST, Connect and gRPC-Web, gRPC, and what is none of them. */
export type Protocol = "xenon" | "files" | "rest" | "connect" | "grpc" | "other";

/** Who sent a request, as far as the host can tell. */
export interface Caller {
  via: Protocol;
  bearerToken: string | undefined;
  /** The address the connection came from, without a port; undefined for what the process itself asks. */
  address: string | undefined;
}

/** What logs call the token of a caller: as the token file names it; undefined where there is none or it is not known. */
export function tokenNameOf(
  tokens: TokenTable | undefined,
  { bearerToken }: Caller,
): string | undefined {
  return bearerToken === undefined ? undefined : tokens?.find(bearerToken)?.name;
}

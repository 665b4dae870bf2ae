import { HostError } from "../errors.js";
import { isLoopback } from "./hosts.js";

export interface Exposure {
  /** The addresses bound to; undefined where a port is not served. */
  httpHost: string | undefined;
  grpcHost: string | undefined;
  /** Whether nobody gets in without a token, or without a client certificate. */
  authenticated: boolean;
  backupRoots: readonly string[];
}

/**
 * Throws CONFIGURATION_INVALID for a host that others than this machine can reach and that lets anybody in, or that
 * would write backups to any path they name.
 */
export function checkExposure({ httpHost, grpcHost, authenticated, backupRoots }: Exposure): void {
  for (const address of [httpHost, grpcHost]) {
    if (address === undefined || isLoopback(address)) continue;
    const missing = [
      ...(authenticated
        ? []
        : [
            "a token file (--token-file) or client certificates (--tls-client-ca), so that not everybody may read and restore",
          ]),
      ...(backupRoots.length > 0
        ? []
        : ["a backup root (--backup-root), so that backups cannot go to any path"]),
    ];
    if (missing.length === 0) continue;
    throw new HostError(
      "CONFIGURATION_INVALID",
      `Listening on ${address}, which other machines can reach, needs ${missing.join(" and ")}. Or listen on 127.0.0.1.`,
      { metadata: { address } },
    );
  }
}

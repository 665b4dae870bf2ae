import { HostError } from "../errors.js";
import { isLoopback } from "./hosts.js";

/** Settings that determine who can reach a host. */
export interface Exposure {
  /** Bind addresses; undefined for a port that is not served. */
  httpHost: string | undefined;
  grpcHost: string | undefined;
  /** Whether a token or a client certificate is required. */
  authenticated: boolean;
  backupRoots: readonly string[];
}

/**
 * Throws CONFIGURATION_INVALID for a host that is reachable from other machines without
 * authentication or without backup roots, which would allow backups to any path.
 */
export function checkExposure({ httpHost, grpcHost, authenticated, backupRoots }: Exposure): void {
  for (const address of [httpHost, grpcHost]) {
    if (address === undefined || isLoopback(address)) continue;
    const missing = [
      ...(authenticated
        ? []
        : [
            "a token file (--token-file) or client certificates (--tls-client-ca) to restrict access",
          ]),
      ...(backupRoots.length > 0
        ? []
        : ["a backup root (--backup-root) to restrict the paths of backups"]),
    ];
    if (missing.length === 0) continue;
    throw new HostError(
      "CONFIGURATION_INVALID",
      `Listening on ${address}, which is reachable from other machines, requires ${missing.join(" and ")}. Alternatively, listen on 127.0.0.1.`,
      { metadata: { address } },
    );
  }
}

import { limits } from "../limits.js";
import { networkOf } from "./clients.js";

/** Tracks requests with unknown tokens by network. */
export interface FailedLogins {
  /**
   * Records a failure and returns the delay of the response in milliseconds, which grows with the
   * failures of the network.
   */
  note(address: string | undefined): number;
}

interface Failures {
  count: number;
  sinceMs: number;
  reported: number;
}

/**
 * Creates a tracker. `onFailures` is called for the first failure of a network, then at most once a
 * minute with the number since.
 */
export function createFailedLogins(
  nowMs: () => number,
  onFailures: (network: string, count: number) => void,
): FailedLogins {
  const byNetwork = new Map<string, Failures>();
  return {
    note(address) {
      const network = networkOf(address);
      const now = nowMs();
      let failures = byNetwork.get(network);
      if (failures === undefined || now - failures.sinceMs > limits.failedLoginsMs) {
        if (failures !== undefined && failures.count > failures.reported)
          onFailures(network, failures.count - failures.reported);
        failures = { count: 0, sinceMs: now, reported: 0 };
        // Reinserted, so that the first entry of the map is the one idle for longest.
        byNetwork.delete(network);
        byNetwork.set(network, failures);
        const [oldest] = byNetwork.keys();
        if (byNetwork.size > limits.failedLoginAddresses && oldest !== undefined)
          byNetwork.delete(oldest);
      }
      failures.count += 1;
      if (failures.count === 1 || failures.count === limits.failedLogins) {
        onFailures(network, failures.count - failures.reported);
        failures.reported = failures.count;
      }
      const excess = failures.count - limits.failedLogins;
      return excess <= 0
        ? 0
        : Math.min(
            limits.failedLoginDelayMs * 2 ** Math.min(excess, 10),
            limits.failedLoginDelayMaxMs,
          );
    },
  };
}

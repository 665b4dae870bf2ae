import { limits } from "../limits.js";
import { networkOf } from "./clients.js";

/** Requests with a token that is not known, by the address they came from. */
export interface FailedLogins {
  /** Notes one more; how many milliseconds its answer has to wait, which grows with the failures of the address. */
  note(address: string | undefined): number;
}

interface Failures {
  count: number;
  sinceMs: number;
  reported: number;
}

/** `onFailures` is told of the first of an address, and at most once a minute how many there were since. */
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
        // Set anew, so that the first of the map is the one that was quiet for longest.
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

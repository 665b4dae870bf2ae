import type { IncomingMessage } from "node:http";
import type { Hold } from "../../security/shares.js";

/** Stored on the request itself, which is cheaper than a map. */
const holding = Symbol("bytes that the request holds in memory");
type Holding = IncomingMessage & { [holding]?: { open: () => Hold; hold: Hold | undefined } };

/** Sets the function that opens the hold for the bytes of a request. It is called on first use. */
export function setHold(request: Holding, open: () => Hold): void {
  request[holding] = { open, hold: undefined };
}

/**
 * Returns the hold that accounts for the request's bytes in memory until the response ends. Counts
 * nothing if none was set.
 */
export function holdOf(request: Holding): Hold {
  const held = request[holding];
  if (held === undefined) return uncounted;
  return (held.hold ??= held.open());
}

/** Releases the hold of a request after its response ended or the client disconnected. */
export function releaseHold(request: Holding): void {
  request[holding]?.hold?.release();
}

const uncounted: Hold = { add() {}, free() {}, release() {} };

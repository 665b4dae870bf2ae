import type { IncomingMessage } from "node:http";
import type { Hold } from "../../security/shares.js";

/** Kept on the request itself: a table beside it costs every request more. */
const holding = Symbol("bytes that the request holds in memory");
type Holding = IncomingMessage & { [holding]?: { open: () => Hold; hold: Hold | undefined } };

/** Says where the bytes of a request are accounted; it is asked when the first of them are. */
export function holdUnder(request: Holding, open: () => Hold): void {
  request[holding] = { open, hold: undefined };
}

/** Where whoever keeps bytes of the request in memory accounts for them, until it is answered. Without a budget nothing is counted. */
export function holdOf(request: Holding): Hold {
  const held = request[holding];
  if (held === undefined) return uncounted;
  return (held.hold ??= held.open());
}

/** The request was answered, or its client is gone. */
export function releaseHold(request: Holding): void {
  request[holding]?.hold?.release();
}

const uncounted: Hold = { add() {}, free() {}, release() {} };

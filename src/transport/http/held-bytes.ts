import type { IncomingMessage } from "node:http";
import type { Hold } from "../../security/shares.js";

/** What a request may hold in memory: the bytes that it sends, and those of its answer. */
export type HeldKind = "bytes" | "answers";

/** Stored on the request itself, which is cheaper than a map. */
const holding = Symbol("what the request holds in memory");
interface Held {
  open: (kind: HeldKind) => Hold;
  bytes?: Hold;
  answers?: Hold;
}
type Holding = IncomingMessage & { [holding]?: Held | undefined };

/** Sets the function that opens the holds of a request. It is called on first use of each. */
export function setHold(request: Holding, open: Held["open"]): void {
  request[holding] = { open };
}

/**
 * Returns the hold that accounts for what a request holds in memory until the response ends; by default for the bytes
 * that it sends. Counts nothing if none was set.
 */
export function holdOf(request: Holding, kind: HeldKind = "bytes"): Hold {
  const held = request[holding];
  if (held === undefined) return uncounted;
  return (held[kind] ??= held.open(kind));
}

/**
 * Releases the holds of a request after its response ended or the client disconnected. Work that goes on for a client
 * that is gone counts nothing any more, because nothing would release it.
 */
export function releaseHold(request: Holding): void {
  const held = request[holding];
  request[holding] = undefined;
  held?.bytes?.release();
  held?.answers?.release();
}

const uncounted: Hold = { add() {}, free() {}, release() {} };

import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { temporaryName } from "./durable-file.js";
import { errnoOf, type OpenFile } from "./file-system.js";
import type { LeaseOptions } from "./platform-options.js";
import { hasEnded, ownProcess, type ProcessIdentity } from "./process-identity.js";
import { readSmallFile } from "./read-file.js";
import type { Platform } from "./platform.js";

/**
 * Exclusive access to a path, across processes and containers: a file with a random owner and a
 * counter that the owner increments. If the counter does not change for limits.leaseExpiryMs by the
 * clock of a waiter, the waiter takes over the lease. It takes over immediately if the owner was a
 * process of this machine that has ended.
 */
export interface Lease extends HeldLease {
  /** Stops renewing the lease and removes its file. */
  release(): Promise<void>;
}

/**
 * A lease from the view of its owner, who checks it before each change that another owner must not
 * see.
 */
export interface HeldLease {
  /** Aborts with DESTINATION_BUSY when another process has taken over the lease. */
  readonly signal: AbortSignal;
  /** Identifies the owner in files that it writes: 32 hexadecimal digits. */
  readonly owner: string;
  /** Reads the lease file and throws DESTINATION_BUSY unless this owner still has the lease. */
  assertHeld(): Promise<void>;
}

/** A lease for a destination without other writers, which is always held. */
export const unsharedLease: HeldLease = {
  signal: new AbortController().signal,
  owner: "0".repeat(32),
  assertHeld: async () => {},
};

const leaseBytes = 4096;

/**
 * Whether the owner was a process of this machine that has ended, so that waiting for the lease to
 * expire is unnecessary.
 */
function isOwnerGone(text: string): boolean {
  try {
    const { process: holder } = JSON.parse(text) as { process?: ProcessIdentity };
    return holder !== undefined && hasEnded(holder);
  } catch {
    return false;
  }
}

/**
 * Waits for the lease of a path and acquires it. Throws DESTINATION_BUSY after `waitMs`, and the error
 * of `guard`. Default of the options: those of the platform.
 */
export async function acquireLease(
  platform: Platform,
  path: string,
  signal: AbortSignal,
  options: LeaseOptions = platform.lease ?? {},
): Promise<Lease> {
  const { files } = platform;
  const {
    heartbeatMs = limits.leaseHeartbeatMs,
    expiryMs = limits.leaseExpiryMs,
    waitMs = limits.leaseWaitMs,
    guard = async () => {},
  } = options;
  const owner = platform.randomHex(16);
  let beat = 0;
  const ownIdentity = ownProcess();
  const content = () =>
    Buffer.from(
      `${JSON.stringify({ owner, beat, ...(ownIdentity && { process: ownIdentity }) })}\n`,
    );

  const read = async (): Promise<string | undefined> => {
    try {
      return (await readSmallFile(files, path, leaseBytes)).toString("utf8");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  };
  const ours = (text: string | undefined) => text?.includes(owner) === true;

  /**
   * Stays open, so that the counter is written to the own file even if another one has taken its
   * name.
   */
  let held: OpenFile | undefined;

  /** Creates the file. Returns false if the file exists. */
  async function create(): Promise<boolean> {
    let file: OpenFile;
    try {
      file = await files.create(path);
    } catch (error) {
      if (errnoOf(error) === "EEXIST") return false;
      throw error;
    }
    try {
      await file.write(content(), 0);
    } catch (error) {
      await file.close();
      await files.remove(path);
      throw error;
    }
    held = file;
    return true;
  }

  /**
   * Removes an expired lease. Renames the file first and puts it back if it has changed, so that
   * only that lease is removed.
   */
  async function evict(expired: string): Promise<void> {
    const aside = join(dirname(path), temporaryName(platform));
    try {
      await files.rename(path, aside);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      throw error;
    }
    const moved = (await readSmallFile(files, aside, leaseBytes)).toString("utf8");
    if (moved !== expired && (await read()) === undefined) await files.rename(aside, path);
    else await files.remove(aside);
  }

  const begun = performance.now();
  let seen: string | undefined;
  let seenAt = begun;
  for (await guard(); !(await create()); await guard()) {
    const found = await read();
    const now = performance.now();
    if (found !== seen) {
      seen = found;
      seenAt = now;
    } else if (found !== undefined && (now - seenAt > expiryMs || isOwnerGone(found))) {
      await evict(found);
      continue;
    }
    if (now - begun > waitMs) {
      throw new HostError(
        "DESTINATION_BUSY",
        `${path} is locked by another backup. Try again when it has finished.`,
      );
    }
    await sleep(Math.min(200, heartbeatMs), undefined, { signal });
  }

  const lost = new AbortController();
  const lose = () =>
    lost.abort(
      new HostError(
        "DESTINATION_BUSY",
        `Another backup took over the lock ${path} while this backup was stalled. This backup was stopped.`,
      ),
    );
  let beating: Promise<void> = Promise.resolve();
  async function renew(): Promise<void> {
    if (!ours(await read())) return lose();
    beat += 1;
    await held?.write(content(), 0);
  }
  const timer = setInterval(() => {
    // A failed renewal needs no handling: waiters see that the counter stands still, and assertHeld
    // reads the file.
    beating = beating.then(renew).catch(() => {});
  }, heartbeatMs);
  timer.unref();

  return {
    signal: lost.signal,
    owner,
    async assertHeld() {
      await guard();
      lost.signal.throwIfAborted();
      if (!ours(await read())) lose();
      lost.signal.throwIfAborted();
    },
    async release() {
      clearInterval(timer);
      await beating;
      await held?.close();
      if (ours(await read().catch(() => undefined))) await files.remove(path).catch(() => {});
    },
  };
}

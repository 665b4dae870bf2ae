import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { temporaryName } from "./durable-file.js";
import { errnoOf, type OpenFile } from "./file-system.js";
import type { LeaseOptions } from "./lease-options.js";
import { isGone, ownProcess, type ProcessIdentity } from "./process-identity.js";
import { readSmallFile } from "./read-file.js";
import type { Platform } from "./platform.js";

/**
 * Makes two backups to one place queue, across processes and containers: a file with a random owner and a counter that
 * the owner raises. One whose counter stands still for limits.leaseExpiryMs, by the waiter's own clock, is taken over;
 * at once where the owner was a process of this machine that is gone.
 */
export interface Lease extends HeldLease {
  release(): Promise<void>;
}

/** What the holder of a lease asks before each change at the destination that another holder must not see. */
export interface HeldLease {
  /** Aborts with DESTINATION_BUSY when the lease was lost to another. */
  readonly signal: AbortSignal;
  /** Names the holder in what it leaves behind: 32 hexadecimal digits. */
  readonly owner: string;
  /** Throws unless the lease is still ours, as the file says. */
  assertHeld(): Promise<void>;
}

/** The lease of a destination that has no other writers. */
export const unsharedLease: HeldLease = {
  signal: new AbortController().signal,
  owner: "0".repeat(32),
  assertHeld: async () => {},
};

const leaseBytes = 4096;

/** Whether the process that wrote the lease ran on this machine and has ended, so that waiting for its silence is unnecessary. */
function isOwnerGone(text: string): boolean {
  try {
    const { process: holder } = JSON.parse(text) as { process?: ProcessIdentity };
    return holder !== undefined && isGone(holder);
  } catch {
    return false;
  }
}

export async function acquireLease(
  platform: Platform,
  path: string,
  signal: AbortSignal,
  options: LeaseOptions = platform.lease ?? {},
): Promise<Lease> {
  const { files } = platform;
  const {
    heartbeatMs = limits.leaseHeartbeatMs,
    silentMs = limits.leaseExpiryMs,
    waitMs = limits.leaseWaitMs,
    guard = async () => {},
  } = options;
  const owner = platform.randomHex(16);
  let beat = 0;
  const holder = ownProcess();
  const content = () =>
    Buffer.from(`${JSON.stringify({ owner, beat, ...(holder && { process: holder }) })}\n`);

  const read = async (): Promise<string | undefined> => {
    try {
      return (await readSmallFile(files, path, leaseBytes)).toString("utf8");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  };
  const ours = (text: string | undefined) => text?.includes(owner) === true;

  /** The file stays open: the counter is raised in the file that we made, even if another one took its name. */
  let held: OpenFile | undefined;

  /** Creates the file; false where there is one. */
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

  /** Moves a silent lease out of the way, and only that one: what was moved is looked at, and put back if it is alive. */
  async function evict(silent: string): Promise<void> {
    const aside = join(dirname(path), temporaryName(platform));
    try {
      await files.rename(path, aside);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      throw error;
    }
    const moved = (await readSmallFile(files, aside, leaseBytes)).toString("utf8");
    if (moved !== silent && (await read()) === undefined) await files.rename(aside, path);
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
    } else if (found !== undefined && (now - seenAt > silentMs || isOwnerGone(found))) {
      await evict(found);
      continue;
    }
    if (now - begun > waitMs) {
      throw new HostError(
        "DESTINATION_BUSY",
        `Another backup holds ${path} and has not let go of it; try again when it is done.`,
      );
    }
    await sleep(Math.min(200, heartbeatMs), undefined, { signal });
  }

  const lost = new AbortController();
  const lose = () =>
    lost.abort(
      new HostError(
        "DESTINATION_BUSY",
        `Another backup took over ${path} while this one was held up; this one stops.`,
      ),
    );
  let beating: Promise<void> = Promise.resolve();
  async function renew(): Promise<void> {
    if (!ours(await read())) return lose();
    beat += 1;
    await held?.write(content(), 0);
  }
  const timer = setInterval(() => {
    // A beat that fails is a beat that is missing: the others judge by their silence, and assertHeld by the file.
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

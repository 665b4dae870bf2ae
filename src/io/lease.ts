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

/** A lease from the view of its owner, who checks it before each change that another owner must not see. */
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

/** Whether the owner was a process of this machine that has ended, so that waiting for the lease to expire is unnecessary. */
export function isOwnerGone(text: string): boolean {
  try {
    const { process: holder } = JSON.parse(text) as { process?: ProcessIdentity };
    return holder !== undefined && hasEnded(holder);
  } catch {
    return false;
  }
}

/**
 * Exclusive access to a path, across processes and containers: a file with a random owner and a
 * counter that the owner increments. If the counter does not change for limits.leaseExpiryMs by the
 * clock of a waiter, the waiter takes over the lease. It takes over immediately if the owner was a
 * process of this machine that has ended.
 */
export class Lease implements HeldLease {
  readonly owner: string;
  private readonly lost = new AbortController();
  private readonly identity = ownProcess();
  private readonly guard: () => Promise<void>;
  private readonly heartbeatMs: number;
  private beat = 0;
  /** Stays open, so that the counter is written to the own file even if another one has taken its name. */
  private held: OpenFile | undefined;
  private beating: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;

  private constructor(
    private readonly platform: Platform,
    private readonly path: string,
    private readonly options: LeaseOptions,
  ) {
    const { heartbeatMs = limits.leaseHeartbeatMs, guard = async () => {} } = options;
    this.owner = platform.randomHex(16);
    this.heartbeatMs = heartbeatMs;
    this.guard = guard;
  }

  /** See `acquireLease`. */
  static async acquire(
    platform: Platform,
    path: string,
    signal: AbortSignal,
    options: LeaseOptions,
  ): Promise<Lease> {
    const lease = new Lease(platform, path, options);
    await lease.wait(signal);
    lease.startBeating();
    return lease;
  }

  get signal(): AbortSignal {
    return this.lost.signal;
  }

  async assertHeld(): Promise<void> {
    await this.guard();
    this.signal.throwIfAborted();
    if (!this.isOurs(await this.read())) this.lose();
    this.signal.throwIfAborted();
  }

  /** Stops renewing the lease and removes its file. */
  async release(): Promise<void> {
    clearInterval(this.timer);
    await this.beating;
    await this.held?.close();
    if (this.isOurs(await this.read().catch(() => undefined)))
      await this.platform.files.remove(this.path).catch(() => {});
  }

  /** Creates the file, after the lease of another owner was released, has expired or lost its owner. */
  private async wait(signal: AbortSignal): Promise<void> {
    const { expiryMs = limits.leaseExpiryMs, waitMs = limits.leaseWaitMs } = this.options;
    const begun = performance.now();
    let seen: string | undefined;
    let seenAt = begun;
    for (await this.guard(); !(await this.create()); await this.guard()) {
      const found = await this.read();
      const now = performance.now();
      if (found !== seen) {
        seen = found;
        seenAt = now;
      } else if (found !== undefined && (now - seenAt > expiryMs || isOwnerGone(found))) {
        await this.evict(found);
        continue;
      }
      if (now - begun > waitMs) {
        throw new HostError(
          "DESTINATION_BUSY",
          `${this.path} is locked by another backup. Try again when it has finished.`,
        );
      }
      await sleep(Math.min(200, this.heartbeatMs), undefined, { signal });
    }
  }

  /** Creates the file. Returns false if the file exists. */
  private async create(): Promise<boolean> {
    const { files } = this.platform;
    let file: OpenFile;
    try {
      file = await files.create(this.path);
    } catch (error) {
      if (errnoOf(error) === "EEXIST") return false;
      throw error;
    }
    try {
      await file.write(this.content(), 0);
    } catch (error) {
      await file.close();
      await files.remove(this.path);
      throw error;
    }
    this.held = file;
    return true;
  }

  /** Removes an expired lease. Renames the file first and puts it back if it has changed, so that only that lease is removed. */
  private async evict(expired: string): Promise<void> {
    const { files } = this.platform;
    const aside = join(dirname(this.path), temporaryName(this.platform));
    try {
      await files.rename(this.path, aside);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      throw error;
    }
    const moved = (await readSmallFile(files, aside, leaseBytes)).toString("utf8");
    if (moved !== expired && (await this.read()) === undefined)
      await files.rename(aside, this.path);
    else await files.remove(aside);
  }

  private startBeating(): void {
    this.timer = setInterval(() => {
      // A failed renewal needs no handling: waiters see that the counter stands still, and assertHeld reads the file.
      this.beating = this.beating.then(() => this.renew()).catch(() => {});
    }, this.heartbeatMs);
    this.timer.unref();
  }

  private async renew(): Promise<void> {
    if (!this.isOurs(await this.read())) return this.lose();
    this.beat += 1;
    await this.held?.write(this.content(), 0);
  }

  private lose(): void {
    this.lost.abort(
      new HostError(
        "DESTINATION_BUSY",
        `Another backup took over the lock ${this.path} while this backup was stalled. This backup was stopped.`,
      ),
    );
  }

  private content(): Buffer {
    const { owner, beat, identity } = this;
    return Buffer.from(
      `${JSON.stringify({ owner, beat, ...(identity && { process: identity }) })}\n`,
    );
  }

  private async read(): Promise<string | undefined> {
    try {
      return (await readSmallFile(this.platform.files, this.path, leaseBytes)).toString("utf8");
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  private isOurs(text: string | undefined): boolean {
    return text?.includes(this.owner) === true;
  }
}

/**
 * Waits for the lease of a path and acquires it. Throws DESTINATION_BUSY after `waitMs`, and the error
 * of `guard`. Default of the options: those of the platform.
 */
export function acquireLease(
  platform: Platform,
  path: string,
  signal: AbortSignal,
  options: LeaseOptions = platform.lease ?? {},
): Promise<Lease> {
  return Lease.acquire(platform, path, signal, options);
}

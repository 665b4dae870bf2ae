import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../../errors.js";
import { isOwnerGone, type HeldLease } from "../../io/lease.js";
import type { Platform } from "../../io/platform.js";
import { ownProcess } from "../../io/process-identity.js";
import { limits } from "../../limits.js";
import type { S3Bucket, S3Condition } from "./bucket.js";

/** Options of acquireS3Lease. */
export interface S3LeaseOptions {
  platform: Platform;
  bucket: S3Bucket;
  /** Key of the lease object. */
  key: string;
  /** URI of the object, for messages. */
  uri: string;
  /**
   * Whether the store enforces conditions of writes. Without them, two owners that begin at the same
   * time may both succeed; an owner checks after a pause whether it was replaced.
   */
  conditional: boolean;
  /** Whether the store enforces conditions of removals. */
  conditionalRemove: boolean;
  /** Whether the store creates a removed object again on the condition that it does not exist. */
  conditionalRecreate: boolean;
}

/** The lease object of another owner, as last seen. */
interface Seen {
  text: string;
  etag: string;
}

/**
 * Exclusive write access to keys of a bucket: an object with a random owner and a counter that the
 * owner increments. If it does not change for the expiry time by the clock of a waiter, the waiter
 * replaces it on the condition that it is still the same. A released lease is marked as such, and then
 * removed if nothing has replaced it. Where the store cannot make sure of that, the mark stays.
 */
export class S3Lease implements HeldLease {
  readonly owner: string;
  readonly #options: S3LeaseOptions;
  readonly #lost = new AbortController();
  readonly #process = ownProcess();
  readonly #heartbeatMs: number;
  readonly #expiryMs: number;
  #beat = 0;
  #etag = "";
  /** Time until which no waiter can have taken over the lease. */
  #safeUntilMs = 0;
  #beating: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  private constructor(options: S3LeaseOptions) {
    this.#options = options;
    const { lease = {}, randomHex } = options.platform;
    this.owner = randomHex(16);
    this.#heartbeatMs = lease.heartbeatMs ?? limits.s3LeaseHeartbeatMs;
    this.#expiryMs = lease.expiryMs ?? limits.s3LeaseExpiryMs;
  }

  /** See `acquireS3Lease`. */
  static async acquire(options: S3LeaseOptions, signal: AbortSignal): Promise<S3Lease> {
    const lease = new S3Lease(options);
    try {
      await lease.#wait(signal);
    } catch (error) {
      // A write whose response was lost may have acquired the lease, which would then have to expire.
      if (lease.#beat > 0) await lease.release();
      throw error;
    }
    lease.#startBeating();
    return lease;
  }

  get signal(): AbortSignal {
    return this.#lost.signal;
  }

  /** Sends no request while no waiter can have taken over. */
  async assertHeld(): Promise<void> {
    this.signal.throwIfAborted();
    if (performance.now() < this.#safeUntilMs) return;
    const found = await this.#read(this.signal);
    if (found === undefined || !this.#isOurs(found.text)) this.#lose();
    this.signal.throwIfAborted();
  }

  /** Stops renewing the lease and removes its object, unless another owner has replaced it. */
  async release(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
    if (this.signal.aborted) return;
    this.#safeUntilMs = 0;
    const { bucket, key, conditional, conditionalRemove, conditionalRecreate } = this.#options;
    const signal = AbortSignal.timeout(limits.s3ReleaseMs);
    try {
      const found = await this.#read(signal);
      if (found === undefined || !this.#isOurs(found.text)) return;
      this.#etag = found.etag;
      // From the mark on, another owner may replace the object at any time, and must not lose it to the
      // removal. Without conditional writes, an owner checks that by itself.
      if (!(await this.#write(signal, { released: true }))) return;
      if (conditionalRemove && conditionalRecreate)
        await bucket.remove(key, signal, { etag: this.#etag });
      else if (!conditional) await bucket.remove(key, signal);
    } catch {
      // The lease expires.
    }
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { waitMs = limits.leaseWaitMs } = this.#options.platform.lease ?? {};
    const begun = performance.now();
    let seen: Seen | undefined;
    let seenAt = begun;
    for (;;) {
      const found = await this.#read(signal);
      const now = performance.now();
      if (found?.text !== seen?.text) {
        seen = found;
        seenAt = now;
      }
      const isFree =
        found === undefined ||
        isReleased(found.text) ||
        isOwnerGone(found.text) ||
        now - seenAt > this.#expiryMs;
      if (isFree && (await this.#take(found, signal))) return;
      if (now - begun > waitMs) {
        throw new HostError(
          "DESTINATION_BUSY",
          `${this.#options.uri} is locked by another backup. Try again when it has finished.`,
        );
      }
      await sleep(Math.min(limits.s3LeasePollMs, this.#heartbeatMs), undefined, { signal });
    }
  }

  /** Writes the lease in place of the one that was found. Returns false if another owner was faster. */
  async #take(found: Seen | undefined, signal: AbortSignal): Promise<boolean> {
    this.#etag = found?.etag ?? "";
    if (!(await this.#write(signal))) return false;
    const { conditional, conditionalRecreate } = this.#options;
    if (conditional && (found !== undefined || conditionalRecreate)) return true;
    await sleep(this.#heartbeatMs * settleShare, undefined, { signal });
    return this.#isOurs((await this.#read(signal))?.text ?? "");
  }

  /** Replaces the object that #etag names. Returns false if it has changed. */
  async #write(signal: AbortSignal, more: object = {}): Promise<boolean> {
    const { bucket, key } = this.#options;
    for (;;) {
      const started = performance.now();
      this.#beat += 1;
      const process = this.#process;
      const content = { owner: this.owner, beat: this.#beat, ...(process && { process }), ...more };
      const text = `${JSON.stringify(content)}\n`;
      const bytes = Buffer.from(text);
      try {
        const { etag } = await bucket.put(
          key,
          { sizeBytes: bytes.length, open: () => bytes },
          { signal, condition: this.#condition() },
        );
        this.#etag = etag;
      } catch (error) {
        if (!(error instanceof HostError) || error.reason !== "DESTINATION_OCCUPIED") throw error;
        const found = await this.#read(signal);
        if (found === undefined || !this.#isOurs(found.text)) return false;
        this.#etag = found.etag;
        // Written by an earlier call whose response was lost: nobody else has replaced the object.
        if (found.text !== text) continue;
      }
      // A waiter counts from when it first saw the object, which is not before the request started.
      this.#safeUntilMs = started + this.#expiryMs * safeShare;
      return true;
    }
  }

  #condition(): S3Condition | undefined {
    const { conditional, conditionalRecreate } = this.#options;
    if (!conditional) return undefined;
    if (this.#etag !== "") return { etag: this.#etag };
    return conditionalRecreate ? { absent: true } : undefined;
  }

  #startBeating(): void {
    this.#timer = setInterval(() => {
      // A failed renewal needs no handling: waiters see that the counter stands still, and assertHeld
      // reads the object.
      this.#beating = this.#beating.then(() => this.#renew()).catch(() => {});
    }, this.#heartbeatMs);
    this.#timer.unref();
  }

  async #renew(): Promise<void> {
    if (this.signal.aborted) return;
    if (!this.#options.conditional) {
      const found = await this.#read(this.signal);
      if (found === undefined || !this.#isOurs(found.text)) return this.#lose();
    }
    if (!(await this.#write(this.signal))) this.#lose();
  }

  #lose(): void {
    clearInterval(this.#timer);
    this.#safeUntilMs = 0;
    this.#lost.abort(
      new HostError(
        "DESTINATION_BUSY",
        `Another backup took over the lock ${this.#options.uri} while this backup was stalled. This backup was stopped.`,
      ),
    );
  }

  async #read(signal: AbortSignal): Promise<Seen | undefined> {
    const { bucket, key } = this.#options;
    const found = await bucket.read(key, limits.s3LeaseBytes, signal);
    return found && { text: found.bytes.toString("utf8"), etag: found.etag };
  }

  #isOurs(text: string): boolean {
    return text.includes(this.owner);
  }
}

/** Share of the heartbeat interval after which an owner checks its lease without conditional writes. */
const settleShare = 0.4;

/** Share of the expiry time in which the owner need not check, because clocks differ in speed. */
const safeShare = 0.5;

function isReleased(text: string): boolean {
  try {
    return (JSON.parse(text) as { released?: unknown } | null)?.released === true;
  } catch {
    return false;
  }
}

/**
 * Waits for the lease of a key and acquires it. Throws DESTINATION_BUSY after limits.leaseWaitMs, and the
 * errors of the bucket.
 */
export function acquireS3Lease(options: S3LeaseOptions, signal: AbortSignal): Promise<S3Lease> {
  return S3Lease.acquire(options, signal);
}

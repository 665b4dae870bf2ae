import { HostError } from "../errors.js";
import { JsonFile } from "../io/json-file.js";
import type { Platform } from "../io/platform.js";
import { limits } from "../limits.js";
import type { NotificationClock } from "./clock.js";
import { isStoredDelivery, type StoredDelivery } from "./delivery.js";

/** Options of DeliveryLog.open. */
export interface DeliveryLogOptions {
  platform: Pick<Platform, "files" | "randomHex">;
  /** Path of the file. */
  path: string;
  clock: NotificationClock;
  /** Called with problems of the file, and when the log is full of pending deliveries. */
  onProblem(error: HostError): void;
}

/**
 * The deliveries of a host, oldest first, in a file. Keeps at most limits.deliveries, and at most
 * limits.deliveriesBytes of them.
 */
export class DeliveryLog {
  private readonly entries = new Map<string, { delivery: StoredDelivery; bytes: number }>();
  private bytes = 0;
  /** Pending deliveries that were removed for newer ones since the last write. */
  private dropped = 0;
  private timer: { clear(): void } | undefined;
  /** The write in progress; never rejects. */
  private writing: Promise<void> = Promise.resolve();
  /** The write that starts when the one in progress ends. */
  private queued: Promise<void> | undefined;

  private constructor(
    private readonly options: DeliveryLogOptions,
    private readonly file: JsonFile<StoredDelivery[]>,
  ) {}

  /** Reads the log. An unreadable file is renamed and reported, and the log starts empty. */
  static async open(options: DeliveryLogOptions): Promise<DeliveryLog> {
    const file = new JsonFile<StoredDelivery[]>({
      platform: options.platform,
      path: options.path,
      maxBytes: limits.deliveriesBytes,
      parse: (value) => (Array.isArray(value) && value.every(isStoredDelivery) ? value : undefined),
      withDigest: true,
    });
    const log = new DeliveryLog(options, file);
    const content = await file.read();
    if (content.state === "read") for (const each of content.value) log.insert(each);
    if ("error" in content) {
      const aside = await file.quarantine();
      options.onProblem(
        new HostError(
          "STORAGE_FAILED",
          `Cannot read the deliveries of notifications in ${options.path}. The file was renamed to ${aside}, and notifications that were pending in it are not sent.`,
          { cause: content.error },
        ),
      );
    }
    return log;
  }

  /** Returns the deliveries, oldest first. */
  all(): StoredDelivery[] {
    return [...this.entries.values()].map(({ delivery }) => delivery);
  }

  /** Returns a delivery, or undefined if the log does not have it. */
  get(id: string): StoredDelivery | undefined {
    return this.entries.get(id)?.delivery;
  }

  /**
   * Adds a delivery and resolves when the file has it. One write covers all calls during the one
   * before. Throws STORAGE_FULL or STORAGE_FAILED; the log then keeps the delivery in memory.
   */
  add(delivery: StoredDelivery): Promise<void> {
    this.insert(delivery);
    return this.save();
  }

  /** Resolves when the file has all changes so far. Throws as `add`. */
  save(): Promise<void> {
    this.timer?.clear();
    this.timer = undefined;
    return (this.queued ??= this.writeNext());
  }

  /** Writes changes within limits.deliveriesWriteMs. Failures are reported. */
  saveSoon(): void {
    this.timer ??= this.options.clock.setTimer(
      () =>
        void this.save().catch((error: unknown) => this.options.onProblem(HostError.from(error))),
      limits.deliveriesWriteMs,
    );
  }

  /** Writes pending changes. Failures are reported. */
  async close(): Promise<void> {
    if (this.timer !== undefined)
      await this.save().catch((error: unknown) => this.options.onProblem(HostError.from(error)));
    await this.queued?.catch(() => {});
    await this.writing;
  }

  private async writeNext(): Promise<void> {
    await this.writing;
    this.queued = undefined;
    this.reportDropped();
    const written = this.file.write(this.all());
    this.writing = written.catch(() => {});
    try {
      await written;
    } catch (error) {
      throw HostError.from(error);
    }
  }

  private insert(delivery: StoredDelivery): void {
    const bytes = sizeOf(delivery);
    this.entries.set(delivery.id, { delivery, bytes });
    this.bytes += bytes;
    while (this.entries.size > limits.deliveries || this.bytes > fullBytes) {
      const [oldest] = this.entries.values();
      // Finished deliveries go before pending ones, and the new one stays.
      const removed =
        [...this.entries.values()].find(({ delivery: { state } }) => state !== "PENDING") ?? oldest;
      if (!removed || removed.delivery === delivery) return;
      if (removed.delivery.state === "PENDING") this.dropped += 1;
      this.entries.delete(removed.delivery.id);
      this.bytes -= removed.bytes;
    }
  }

  private reportDropped(): void {
    if (this.dropped === 0) return;
    const { dropped } = this;
    this.dropped = 0;
    this.options.onProblem(
      new HostError(
        "OVERLOADED",
        `${dropped} pending notifications were dropped for newer ones: the host keeps at most ${limits.deliveries}. Check the webhooks that do not respond, and whether a policy fails repeatedly.`,
      ),
    );
  }
}

/** The file has a digest and brackets too. */
const fullBytes = limits.deliveriesBytes - 1024;

/** Size in the file, with the longest error that later attempts may add. */
const sizeOf = (delivery: StoredDelivery) =>
  Buffer.byteLength(JSON.stringify({ ...delivery, lastError: "" })) +
  limits.deliveryErrorChars * 6 +
  128;

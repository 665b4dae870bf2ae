import { setTimeout } from "node:timers/promises";
import type { IndexPointInTime } from "../../backup/point-in-time.js";
import type { OpenedDescription } from "../../backup/opened-description.js";
import type { Report } from "../../backup/progress.js";
import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import { OpenedIndex, openedNotFound } from "../../store/opened-index.js";
import { openedIndexPath } from "../documents/factories.js";
import type { BuiltState, IndexStates, TemporarySpace } from "./index-states.js";

/** Options of OpenedIndexes. */
export interface OpenedIndexesOptions {
  platform: Platform;
  states: Pick<IndexStates, "build">;
  /** Greatest total size of opened indexes, in bytes. */
  maxBytes: number;
  /** Where they are. */
  directory: string;
  /** Receives failures that no caller waits for. */
  onBackgroundError: (error: unknown) => void;
}

/** Backups and points in time that are open as read-only indexes, each for a limited time. */
export class OpenedIndexes {
  private readonly opened = new Map<
    string,
    { description: OpenedDescription; index: OpenedIndex }
  >();
  /** Space of the indexes that are being built. */
  private readonly building = new Set<TemporarySpace>();
  /** Closed ones whose readers have not ended: they still take space. */
  private readonly closing = new Map<OpenedDescription, Promise<void>>();
  private closed = false;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly options: OpenedIndexesOptions) {
    this.timer = setInterval(() => this.expire(), limits.openedExpiryCheckMs).unref();
  }

  /** In the order of their opening. */
  list(): OpenedDescription[] {
    return [...this.opened.values()].map(({ description }) => description);
  }

  /** INDEX_NOT_FOUND. */
  indexOf(link: string): OpenedIndex {
    const found = this.opened.get(link);
    if (found) return found.index;
    throw openedNotFound(link);
  }

  /** Builds an index and opens it. OPERATION_LIMIT, STORAGE_FULL, and what a backup is refused for. */
  async open(
    pointInTime: IndexPointInTime,
    lifetimeMicros: number,
    signal: AbortSignal,
    report: Report,
  ): Promise<OpenedDescription> {
    const { states } = this.options;
    const reserved = { indexBytes: 0, peakBytes: 0 };
    const { opened, building, closing } = this;
    if (opened.size + building.size + closing.size >= limits.openedIndexes)
      throw new HostError(
        "OPERATION_LIMIT",
        `${limits.openedIndexes} backups are open, the limit. Close one that is no longer needed.`,
      );
    this.building.add(reserved);
    try {
      const built = await states.build(pointInTime, signal, report, (space) =>
        this.reserve(reserved, space),
      );
      return await this.keep(built, lifetimeMicros);
    } finally {
      this.building.delete(reserved);
    }
  }

  /**
   * Closes an index: nobody finds it any more, and it is removed once the calls that use it have ended, for which this
   * waits a short time. INDEX_NOT_FOUND.
   */
  async closeIndex(link: string): Promise<void> {
    this.indexOf(link);
    const waiting = new AbortController();
    const { signal } = waiting;
    const waited = setTimeout(limits.openedCloseWaitMs, undefined, { ref: false, signal });
    await Promise.race([this.remove(link), waited.catch(() => {})]);
    waiting.abort();
  }

  /** Closes all. */
  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.timer);
    for (const link of this.opened.keys()) void this.remove(link);
    await Promise.all(this.closing.values());
  }

  /** Never rejects. */
  private remove(link: string): Promise<void> {
    const found = this.opened.get(link);
    if (!found) return Promise.resolve();
    const { description, index } = found;
    this.opened.delete(link);
    const removal = index
      .close()
      .catch(this.options.onBackgroundError)
      .finally(() => this.closing.delete(description));
    this.closing.set(description, removal);
    return removal;
  }

  private async reserve(reserved: TemporarySpace, space: TemporarySpace): Promise<void> {
    const { maxBytes, directory, platform } = this.options;
    Object.assign(reserved, space);
    const free = await platform.files.freeBytes(directory);
    const sum = (which: keyof TemporarySpace) =>
      [...this.building].reduce((total, one) => total + one[which], 0);
    const kept = [...this.list(), ...this.closing.keys()];
    const used = kept.reduce((total, { sizeBytes }) => total + sizeBytes, sum("indexBytes"));
    if (used > maxBytes)
      throw new HostError(
        "STORAGE_FULL",
        `The opened backup would take about ${space.indexBytes} bytes, and all opened backups together may take ${maxBytes}. Close one, or raise --opened-space.`,
      );
    if (sum("peakBytes") + limits.openedReserveBytes > free)
      throw new HostError(
        "STORAGE_FULL",
        `Opening the backup takes about ${space.peakBytes} bytes in ${directory}, where ${free} are free and ${limits.openedReserveBytes} must remain. Free space, or close one that is no longer needed.`,
      );
  }

  private async keep(
    { index, source, indexLink, targetTimeMicros, warnings }: BuiltState,
    lifetimeMicros: number,
  ): Promise<OpenedDescription> {
    const { platform } = this.options;
    try {
      const { documents, versions, sizeBytes } = await index.engine.state();
      if (this.closed)
        throw new HostError("SHUTTING_DOWN", "The host is stopping; the backup was not opened.");
      const openTimeMicros = platform.nowMicros();
      const description: OpenedDescription = {
        link: `${openedIndexPath}/${platform.randomHex(4)}`,
        ...(source && { source }),
        sourceIndexLink: indexLink,
        targetTimeMicros,
        documents,
        versions,
        sizeBytes,
        openTimeMicros,
        expireTimeMicros: openTimeMicros + lifetimeMicros,
        warnings,
      };
      this.opened.set(description.link, {
        description,
        index: new OpenedIndex(description.link, index),
      });
      return description;
    } catch (error) {
      await index.close();
      throw error;
    }
  }

  private expire(): void {
    const now = this.options.platform.nowMicros();
    for (const { link, expireTimeMicros } of this.list())
      if (expireTimeMicros <= now) void this.remove(link);
  }
}

import type { IndexPointInTime } from "../../backup/point-in-time.js";
import type { OpenedDescription } from "../../backup/opened-description.js";
import type { Report } from "../../backup/progress.js";
import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import { OpenedIndex } from "../../store/opened-index.js";
import { openedIndexPath } from "../documents/factories.js";
import type { BuiltState, IndexStates } from "./index-states.js";

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
  /** Space of the indexes that are being built, in bytes. */
  private readonly building = new Set<{ bytes: number }>();
  private closed = false;
  private readonly timer: NodeJS.Timeout;
  /** Removals that nobody waits for. */
  private removals: Promise<void> = Promise.resolve();

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
    throw new HostError(
      "INDEX_NOT_FOUND",
      `No opened index ${JSON.stringify(link.slice(0, 200))}: it was closed, its time is over, or the host was restarted. Open the backup again.`,
      { metadata: { link: link.slice(0, 200) } },
    );
  }

  /** Builds an index and opens it. OPERATION_LIMIT, STORAGE_FULL, and what a backup is refused for. */
  async open(
    pointInTime: IndexPointInTime,
    lifetimeMicros: number,
    signal: AbortSignal,
    report: Report,
  ): Promise<OpenedDescription> {
    const { platform, states } = this.options;
    const reserved = { bytes: 0 };
    if (this.opened.size + this.building.size >= limits.openedIndexes)
      throw new HostError(
        "OPERATION_LIMIT",
        `${limits.openedIndexes} backups are open, the limit. Close one that is no longer needed.`,
      );
    this.building.add(reserved);
    try {
      const free = await platform.files.freeBytes(this.options.directory);
      const built = await states.build(pointInTime, signal, report, (bytes) =>
        this.reserve(reserved, bytes, free),
      );
      return await this.keep(built, lifetimeMicros);
    } finally {
      this.building.delete(reserved);
    }
  }

  /** Closes an index, and removes it once the calls that use it have ended. INDEX_NOT_FOUND. */
  async closeIndex(link: string): Promise<void> {
    const index = this.indexOf(link);
    this.opened.delete(link);
    await index.close();
  }

  /** Closes all. */
  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.timer);
    const all = [...this.opened.values()];
    this.opened.clear();
    await Promise.all([this.removals, ...all.map(({ index }) => index.close())]);
  }

  private reserve(reserved: { bytes: number }, bytes: number, free: number): void {
    reserved.bytes = bytes;
    const building = [...this.building].reduce((sum, one) => sum + one.bytes, 0);
    const used = this.list().reduce((sum, { sizeBytes }) => sum + sizeBytes, building);
    const { maxBytes, directory } = this.options;
    if (used > maxBytes)
      throw new HostError(
        "STORAGE_FULL",
        `The opened backup would take about ${bytes} bytes, and all opened backups together may take ${maxBytes}. Close one, or raise --opened-space.`,
      );
    if (building + limits.openedReserveBytes > free)
      throw new HostError(
        "STORAGE_FULL",
        `The opened backup would take about ${bytes} bytes in ${directory}, where ${free} are free. Free space, or close one that is no longer needed.`,
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
      if (expireTimeMicros <= now)
        this.removals = Promise.all([this.removals, this.closeIndex(link)]).then(
          () => {},
          this.options.onBackgroundError,
        );
  }
}

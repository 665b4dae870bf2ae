import { namesIn, openDirectoryReader } from "../../container/directory-reader.js";
import type { BackupTarget } from "../../container/resolve.js";
import { HostError } from "../../errors.js";
import { fromFileError } from "../../io/file-error.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import { describeManifest, type BackupDescription } from "../../segment/description.js";
import { fileBytesOf, type Manifest, type ManifestFile } from "../../segment/manifest.js";
import { parseManifestName, type Compression } from "../../segment/format.js";
import type { DocumentIndex } from "../../store/document-index.js";
import type { EncryptTo } from "../../encoding/encoding-call.js";
import { encodingAt, encryptionOf } from "../encode-segment.js";
import { runBackup } from "../backup.js";
import type { WrittenManifests } from "../written-manifests.js";
import { BackgroundMerge } from "./background-merge.js";
import type { AutoBackupStatus } from "./status.js";

/** What automatic backups work with. */
export interface AutoBackupOptions {
  platform: Platform;
  index: DocumentIndex;
  /** URI of the destination as configured, without credentials. */
  destination: string;
  /** Name of the destination in messages: a local path, or a URI without credentials. */
  displayName: string;
  /** Resolves the destination for a run, which fails if this rejects. */
  target(): Promise<BackupTarget>;
  /** Signs manifests. Returns the text of a signature file. */
  sign?: ((bytes: Uint8Array) => string) | undefined;
  /** Who can decrypt the backups. Default: they are not encrypted. */
  encryptTo?: EncryptTo | undefined;
  /** Directory in the data directory, for databases of segments that will be encrypted. */
  temporaryDirectory: string;
  hostId: string;
  productVersion: string;
  enabled: boolean;
  /** Interval between the starts of runs. Default: that of the platform, or limits.autoBackupIntervalMs. */
  intervalMs?: number | undefined;
  /** Compression of new segments. Default: as for every backup. */
  compression?: Compression | undefined;
  /** Whether the last verification of the backup with this manifest found damage. */
  isDamaged(manifestSha256: string): boolean;
  written: WrittenManifests;
  /** Called when all writes up to a position are durable at the destination, before the end of the run. */
  onCopied?(positionMicros: number): void;
  onRun(outcome: AutoBackupRun): void;
  /** Receives failures beside a run, which lose nothing. */
  onBackgroundError(error: unknown): void;
}

/** Outcome of a run. `skipped`: changes that a later run covers. */
export type AutoBackupRun =
  | {
      outcome: "performed";
      backup: BackupDescription;
      bytesWritten: number;
      micros: number;
      /** Whether the destination had no backup of this index. */
      foundNone: boolean;
      warnings: readonly string[];
    }
  | { outcome: "failed"; error: HostError; attempts: number }
  | { outcome: "skipped" };

type LastRun = Omit<
  AutoBackupStatus,
  "enabled" | "destination" | "indexLink" | "state" | "failuresInARow"
>;

/**
 * Backs up an index incrementally after each change, while enabled: one run at a time, and changes during a run cause one
 * more. A failed run is retried after a growing delay.
 */
export class AutoBackup {
  private readonly merge: BackgroundMerge;
  private readonly looking: NodeJS.Timeout;
  private cancel = new AbortController();
  private enabled: boolean;
  private closing = false;
  /** True at the start: whether earlier writes are backed up is unknown. */
  private dirty = true;
  private pauses = 0;
  private attempts = 0;
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private lastBegun = -Infinity;
  private newest: Manifest | undefined;
  private readonly last: LastRun = { warnings: [] };

  constructor(private readonly options: AutoBackupOptions) {
    const { platform, index, onBackgroundError } = options;
    this.enabled = options.enabled;
    this.merge = new BackgroundMerge({
      platform,
      index,
      encoding: async () =>
        encodingAt((await options.target()).destination, {
          encryptTo: options.encryptTo,
          compression: options.compression,
        }),
      temporaryDirectory: options.temporaryDirectory,
      stage: async () => (await options.target()).destination.stage({}),
      onReady: () => this.touch(),
      onError: onBackgroundError,
    });
    const { checkMs = limits.autoBackupCheckMs } = platform.autoBackup ?? {};
    this.looking = setInterval(() => void this.look().catch(() => this.touch()), checkMs);
    this.looking.unref();
    this.schedule();
  }

  status(): AutoBackupStatus {
    return {
      enabled: this.enabled,
      destination: this.options.destination,
      indexLink: this.options.index.link,
      state: this.state(),
      failuresInARow: this.attempts,
      ...this.last,
    };
  }

  /** Enables or disables automatic backups. Disabling cancels a run. */
  async configure(enabled: boolean): Promise<void> {
    this.enabled = enabled;
    // Enabling starts at once, without the delay after an earlier failure.
    this.attempts = 0;
    if (enabled) this.unschedule();
    else await this.stopRun("Automatic backups were disabled.");
    this.schedule();
  }

  /** Reports a change of the index. */
  changed(): void {
    if (this.dirty && this.enabled) this.options.onRun({ outcome: "skipped" });
    this.touch();
  }

  /** Cancels a run and prevents others until the returned function is called. Resolves when no run is under way. */
  async pause(): Promise<() => void> {
    this.pauses += 1;
    await this.stopRun(
      "A restore reads this destination; the automatic backup starts again later.",
    );
    let resumed = false;
    return () => {
      if (resumed) return;
      resumed = true;
      this.pauses -= 1;
      this.schedule();
    };
  }

  /** Ends with a last run if changes are not backed up yet. */
  async close(): Promise<void> {
    this.closing = true;
    clearInterval(this.looking);
    this.unschedule();
    const shutDown = new HostError(
      "SHUTTING_DOWN",
      "The host shut down before the automatic backup was complete.",
    );
    const grace = setTimeout(() => this.cancel.abort(shutDown), limits.shutdownMs);
    await this.running;
    if (this.enabled && this.dirty && this.attempts === 0 && this.pauses === 0) await this.run();
    clearTimeout(grace);
    this.cancel.abort();
    await this.merge.close();
  }

  private state(): AutoBackupStatus["state"] {
    if (!this.enabled) return "OFF";
    if (this.running !== undefined) return "RUNNING";
    if (this.attempts > 0) return "RETRYING";
    return this.dirty ? "WAITING" : "CURRENT";
  }

  private async run(): Promise<void> {
    this.dirty = false;
    this.cancel = new AbortController();
    this.lastBegun = performance.now();
    try {
      await this.backUp(this.cancel.signal);
      this.attempts = 0;
    } catch (thrown) {
      this.dirty = true;
      await this.merge.clear().catch(this.options.onBackgroundError);
      if (this.cancel.signal.aborted) return;
      this.attempts += 1;
      const { displayName, platform, onRun } = this.options;
      const error = HostError.from(fromFileError(thrown, `The automatic backup to ${displayName}`));
      this.last.lastFailureMicros = platform.nowMicros();
      this.last.lastError = error;
      onRun({ outcome: "failed", error, attempts: this.attempts });
    }
  }

  private async backUp(signal: AbortSignal): Promise<void> {
    const { platform, index, hostId, productVersion, isDamaged, written } = this.options;
    await index.settled(signal);
    const startMicros = platform.nowMicros();
    const merged = this.merge.ready();
    const target = await this.options.target();
    const state = await index.state();
    const writer = await target.open({ index: state, expectedBytes: state.sizeBytes }, signal);
    try {
      const isOwn = ({ indexId, lineage }: Manifest) =>
        indexId === index.indexId() && lineage === index.lineage();
      const others = writer.existing.filter(
        (found) => "file" in found && !isOwn(found.file.manifest),
      ).length;
      const task = {
        index,
        writer,
        hostId,
        productVersion,
        full: false,
        store: false,
        encoding: encodingAt(target.destination, {
          encryptTo: this.options.encryptTo,
          compression: this.options.compression,
        }),
        encryption: encryptionOf(this.options),
        sign: this.options.sign,
        temporaryDirectory: this.options.temporaryDirectory,
        append: true,
        container: "DIRECTORY" as const,
        isDamaged,
        destination: target.uri,
        identity: target.identity,
        written,
        ...(merged && { merged }),
        onCommitted: ({ manifest }: ManifestFile) =>
          this.options.onCopied?.(manifest.positionMicros),
      };
      const { manifest, bytesWritten, foundNone, warnings } = await runBackup(
        platform,
        task,
        signal,
        () => {},
      );
      this.noteSuccess(manifest, others, warnings);
      this.options.onRun({
        outcome: "performed",
        backup: describeManifest(target, manifest),
        bytesWritten,
        micros: platform.nowMicros() - startMicros,
        foundNone,
        warnings: this.last.warnings,
      });
      if (merged) await this.merge.clear();
      this.merge.consider(manifest.manifest);
    } finally {
      await writer.close();
    }
  }

  private noteSuccess({ manifest }: ManifestFile, others: number, warnings: string[]): void {
    this.newest = manifest;
    delete this.last.lastError;
    Object.assign(this.last, {
      lastSuccessMicros: this.options.platform.nowMicros(),
      positionMicros: manifest.positionMicros,
      files: manifest.segments.length + 1,
      otherBackups: others,
      warnings: [
        ...warnings,
        ...(others < limits.autoBackupOtherLineages
          ? []
          : [
              `${others} backups of earlier histories are at the destination, one for each restore. Automatic backups do not remove them; prune those that are not needed.`,
            ]),
      ],
    } satisfies LastRun);
  }

  /** Starts a run if the backups disappeared while nothing was written. */
  private async look(): Promise<void> {
    const { newest } = this;
    const idle = this.enabled && !this.closing && !this.dirty && this.pauses === 0;
    if (!idle || this.running !== undefined || newest === undefined) return;
    const { signal } = this.cancel;
    const { destination } = await this.options.target();
    const reader = openDirectoryReader(this.options.platform, destination);
    const wanted = newest.segments.map(({ name }) => name);
    const sizes = await reader.sizesOf(wanted, signal);
    const isWhole = newest.segments.every(
      (segment) => sizes.get(segment.name) === fileBytesOf(segment),
    );
    const names = await namesIn(destination, signal).catch(() => []);
    const isListed = names.some((name) => parseManifestName(name)?.number === newest.number);
    if (!isWhole || !isListed) this.touch();
  }

  private touch(): void {
    this.dirty = true;
    this.schedule();
  }

  private schedule(): void {
    const wanted = this.enabled && !this.closing && this.dirty && this.pauses === 0;
    if (!wanted || this.running !== undefined || this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.running = this.run().finally(() => {
        this.running = undefined;
        this.schedule();
      });
    }, this.delayMs());
  }

  private delayMs(): number {
    const {
      intervalMs: pace = limits.autoBackupIntervalMs,
      retryMs = limits.autoBackupRetryMs,
      retryMaxMs = limits.autoBackupRetryMaxMs,
    } = this.options.platform.autoBackup ?? {};
    const { intervalMs = pace } = this.options;
    return this.attempts > 0
      ? Math.min(retryMs * 2 ** (this.attempts - 1), retryMaxMs)
      : Math.max(0, this.lastBegun + intervalMs - performance.now());
  }

  private unschedule(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** Cancels: a run may wait long for a destination that another backup locked. */
  private async stopRun(why: string): Promise<void> {
    this.unschedule();
    this.cancel.abort(new HostError("OPERATION_CANCELLED", why));
    await this.running;
  }
}

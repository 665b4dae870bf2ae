import { HostError } from "../../errors.js";
import { namesIn, openDirectoryReader } from "../../container/directory-reader.js";
import { openDirectoryWriter } from "../../container/directory-writer.js";
import type { Destination } from "../../destination/destination.js";
import type { Manifest } from "../../segment/manifest.js";
import { parseManifestName } from "../../segment/format.js";
import { fromFileError } from "../../io/file-error.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { DocumentIndex } from "../../store/document-index.js";
import { runBackup } from "../backup.js";
import { createBackgroundMerge } from "./background-merge.js";
import { describeManifest, type BackupDescription } from "../../segment/description.js";
import type { AutoBackupStatus } from "./status.js";
import type { WrittenManifests } from "../written-manifests.js";

/**
 * Backs an index up to a directory whenever it has changed, as long as it is switched on: never two runs at a time, and
 * changes during a run are one more run after it. A run that fails is tried again, later each time.
 */
export interface AutoBackup {
  status(): AutoBackupStatus;
  /** Switched off, a run under way is cancelled. */
  configure(enabled: boolean): Promise<void>;
  /** The index has changed. */
  changed(): void;
  /** Cancels a running backup and keeps others from starting until the returned function is called. Resolves when none is running. */
  pause(): Promise<() => void>;
  /** Ends with a last run where changes are not backed up yet. */
  close(): Promise<void>;
}

export interface AutoBackupOptions {
  platform: Platform;
  index: DocumentIndex;
  destination: Destination;
  hostId: string;
  productVersion: string;
  enabled: boolean;
  /** Whether the last check of the backup with this manifest found damage. */
  isDamaged(manifestSha256: string): boolean;
  written: WrittenManifests;
  onRun(outcome: AutoBackupRun): void;
  /** Something beside a run went wrong; nothing is lost by it. */
  onBackgroundError(error: unknown): void;
}

/** `skipped`: changes that the run after them was going to hold anyway. */
export type AutoBackupRun =
  | {
      outcome: "performed";
      backup: BackupDescription;
      bytesWritten: number;
      micros: number;
      warnings: readonly string[];
    }
  | { outcome: "failed"; error: HostError; attempts: number }
  | { outcome: "skipped" };

export function createAutoBackup(options: AutoBackupOptions): AutoBackup {
  const { platform, index, destination, onRun } = options;
  const { uri } = destination;
  const directory = destination.displayName();
  const merge = createBackgroundMerge({
    platform,
    index,
    destination,
    onReady: () => touch(),
    onError: options.onBackgroundError,
  });
  const {
    intervalMs = limits.autoBackupIntervalMs,
    retryMs = limits.autoBackupRetryMs,
    retryMaxMs = limits.autoBackupRetryMaxMs,
    checkMs = limits.autoBackupCheckMs,
  } = platform.autoBackup ?? {};
  let cancel = new AbortController();
  let enabled = options.enabled;
  let closing = false;
  /** True at the start: whether earlier writes are backed up is unknown. */
  let dirty = true;
  let pauses = 0;
  let attempts = 0;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let lastBegun = -Infinity;
  let newest: Manifest | undefined;
  const last: Pick<
    AutoBackupStatus,
    | "lastSuccessMicros"
    | "lastFailureMicros"
    | "lastError"
    | "positionMicros"
    | "files"
    | "otherBackups"
    | "warnings"
  > = { warnings: [] };

  async function backUp(): Promise<void> {
    const { signal } = cancel;
    await index.settled(signal);
    const begunMicros = platform.nowMicros();
    const merged = merge.ready();
    const writer = await openDirectoryWriter(platform, destination, signal);
    try {
      const others = writer.existing.filter(
        (found) => "file" in found && !isOwn(found.file.manifest),
      ).length;
      const task = {
        index,
        writer,
        hostId: options.hostId,
        productVersion: options.productVersion,
        full: false,
        store: false,
        append: true,
        isDamaged: options.isDamaged,
        destination: uri,
        written: options.written,
      };
      const { manifest, bytesWritten, warnings } = await runBackup(
        platform,
        { ...task, ...(merged && { merged }) },
        signal,
        () => {},
      );
      last.lastSuccessMicros = platform.nowMicros();
      last.positionMicros = manifest.manifest.positionMicros;
      newest = manifest.manifest;
      last.otherBackups = others;
      last.warnings =
        others < limits.autoBackupOtherLineages
          ? warnings
          : [
              ...warnings,
              `${others} backups of earlier histories are there, one for each restore. Automatic backups do not remove them; prune those that are not needed.`,
            ];
      last.files = manifest.manifest.segments.length + 1;
      delete last.lastError;
      onRun({
        outcome: "performed",
        backup: describeManifest({ uri, container: "DIRECTORY" }, manifest),
        bytesWritten,
        micros: last.lastSuccessMicros - begunMicros,
        warnings: last.warnings,
      });
      if (merged) await merge.clear();
      merge.consider(manifest.manifest);
    } finally {
      await writer.close();
    }
  }

  const isOwn = ({ indexId, lineage }: Manifest) =>
    indexId === index.indexId() && lineage === index.lineage();

  /** Notices that the backups disappeared while nothing was written, and makes one again. */
  async function look(): Promise<void> {
    const manifest = newest;
    if (
      !enabled ||
      closing ||
      dirty ||
      pauses > 0 ||
      running !== undefined ||
      manifest === undefined
    )
      return;
    const { signal } = cancel;
    const reader = openDirectoryReader(platform, destination);
    const sizes = await Promise.all(
      manifest.segments.map(
        async ({ name, sizeBytes }) => (await reader.sizeOf(name, signal)) === sizeBytes,
      ),
    );
    const names = await namesIn(destination, signal).catch(() => []);
    if (
      sizes.includes(false) ||
      !names.some((name) => parseManifestName(name)?.number === manifest.number)
    )
      touch();
  }
  const looking = setInterval(() => void look().catch(() => touch()), checkMs);
  looking.unref();

  async function run(): Promise<void> {
    dirty = false;
    cancel = new AbortController();
    lastBegun = performance.now();
    try {
      await backUp();
      attempts = 0;
    } catch (thrown) {
      dirty = true;
      await merge.clear().catch(options.onBackgroundError);
      if (cancel.signal.aborted) return;
      attempts += 1;
      const error = HostError.from(fromFileError(thrown, `The automatic backup to ${directory}`));
      last.lastFailureMicros = platform.nowMicros();
      last.lastError = error;
      onRun({ outcome: "failed", error, attempts });
    }
  }

  const dueInMs = () =>
    attempts > 0
      ? Math.min(retryMs * 2 ** (attempts - 1), retryMaxMs)
      : Math.max(0, lastBegun + intervalMs - performance.now());

  function begin(): void {
    timer = undefined;
    running = run().finally(() => {
      running = undefined;
      schedule();
    });
  }

  function schedule(): void {
    if (!enabled || closing || !dirty || pauses > 0 || running !== undefined || timer !== undefined)
      return;
    timer = setTimeout(begin, dueInMs());
  }

  function unschedule(): void {
    clearTimeout(timer);
    timer = undefined;
  }

  function touch(): void {
    dirty = true;
    schedule();
  }

  /** A run may wait long, for a directory that another backup holds. */
  async function stopRun(why: string): Promise<void> {
    unschedule();
    cancel.abort(new HostError("OPERATION_CANCELLED", why));
    await running;
  }

  schedule();
  return {
    status: () => ({
      enabled,
      directory,
      indexLink: index.link,
      state: !enabled
        ? "OFF"
        : running !== undefined
          ? "RUNNING"
          : attempts > 0
            ? "RETRYING"
            : dirty
              ? "WAITING"
              : "CURRENT",
      failuresInARow: attempts,
      ...last,
    }),
    async configure(wanted) {
      enabled = wanted;
      // Who switches it on, or on again, does not wait for what an earlier failure has put off.
      attempts = 0;
      if (wanted) unschedule();
      else await stopRun("Automatic backups were switched off.");
      schedule();
    },
    changed() {
      if (dirty && enabled) onRun({ outcome: "skipped" });
      touch();
    },
    async pause() {
      pauses += 1;
      await stopRun("The index is being restored; the automatic backup starts again afterwards.");
      let resumed = false;
      return () => {
        if (resumed) return;
        resumed = true;
        pauses -= 1;
        schedule();
      };
    },
    async close() {
      closing = true;
      clearInterval(looking);
      unschedule();
      const grace = setTimeout(
        () =>
          cancel.abort(
            new HostError(
              "SHUTTING_DOWN",
              "The host was shut down before the automatic backup was done.",
            ),
          ),
        limits.shutdownMs,
      );
      await running;
      if (enabled && dirty && attempts === 0 && pauses === 0) await run();
      clearTimeout(grace);
      cancel.abort();
      await merge.close();
    },
  };
}

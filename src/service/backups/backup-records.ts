import type { AutoBackupRun } from "../../backup/schedule/auto-backup.js";
import { type HostError } from "../../errors.js";
import { JsonFile } from "../../io/json-file.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { BackupRecord } from "../host/description.js";
import type { BackupResult } from "../../backup/backup-request.js";
import type { OperationView } from "../../operation/operation.js";

/** Last results of backups, one record per index and destination. Keeps the newest limits.backupRecords across restarts. */
export interface BackupRecords {
  /** Returns the records, newest first. */
  all(): readonly BackupRecord[];
  /** Records a completed operation. Ignores everything except backups; ignores dry runs. */
  noteOperation(view: OperationView): void;
  noteAutoBackup(run: AutoBackupRun, automatic: { indexLink: string; destination: string }): void;
  /** Writes pending records to disk. */
  close(): Promise<void>;
}

export interface BackupRecordsOptions {
  platform: Pick<Platform, "files" | "randomHex" | "nowMicros">;
  path: string;
  warn(fields: object, message: string): void;
}

export async function openBackupRecords({
  platform,
  path,
  warn,
}: BackupRecordsOptions): Promise<BackupRecords> {
  const file = new JsonFile<BackupRecord[]>({
    platform,
    path,
    maxBytes: limits.backupRecordBytes,
    parse: (value) => (Array.isArray(value) && value.every(isRecord) ? value : undefined),
  });
  const records = new Map<string, BackupRecord>();
  for (const record of await load()) records.set(keyOf(record), record);
  let timer: NodeJS.Timeout | undefined;
  let dirty = false;
  let writing: Promise<void> | undefined;

  async function load(): Promise<BackupRecord[]> {
    const content = await file.read();
    switch (content.state) {
      case "read":
        return content.value.slice(0, limits.backupRecords).reverse();
      case "missing":
        return [];
      case "failed":
        warn({ err: content.error, path }, "cannot read the records of backups; starting without");
        return [];
      case "invalid":
        warn(
          { path, aside: await file.quarantine() },
          "the records of backups are not valid; they were renamed, and new ones are started",
        );
        return [];
    }
  }

  function write(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    dirty = true;
    return (writing ??= (async () => {
      while (dirty) {
        dirty = false;
        await file
          .write(all())
          .catch((error: unknown) =>
            warn(
              { err: error, path },
              "the records of backups could not be written; they are kept until the host stops",
            ),
          );
      }
      writing = undefined;
    })());
  }

  const all = () => [...records.values()].reverse();

  function change(indexLink: string, destination: string, fields: Partial<BackupRecord>): void {
    const key = keyOf({ indexLink, destination });
    const before = records.get(key) ?? { ...empty, indexLink, destination };
    // Insertion order is the order of age.
    records.delete(key);
    records.set(key, { ...before, ...fields });
    const [oldest] = records.keys();
    if (records.size > limits.backupRecords && oldest !== undefined) records.delete(oldest);
  }

  const success = (
    { backup, bytesWritten }: Pick<BackupResult, "backup" | "bytesWritten">,
    atMicros: number,
    durationMicros: number,
  ): Partial<BackupRecord> => ({
    lastSuccessMicros: atMicros,
    backupName: backup.name,
    positionMicros: backup.positionMicros,
    bytesWritten,
    sizeBytes: backup.sizeBytes,
    durationMicros,
    lastError: "",
    window: backup.window,
  });

  const failure = ({ message }: HostError, atMicros: number): Partial<BackupRecord> => ({
    lastFailureMicros: atMicros,
    lastError: message.slice(0, limits.backupErrorChars),
  });

  return {
    all,
    noteOperation({
      kind,
      indexLink,
      target,
      startTimeMicros,
      endTimeMicros = platform.nowMicros(),
      error,
      result,
    }) {
      if (kind !== "backup") return;
      // A cancelled backup says nothing about the destination.
      if (error?.reason === "OPERATION_CANCELLED") return;
      // One record for all transfers, whose names are unique.
      const destination = target.replace(/^transfer:.*/s, "transfer:");
      if (error) change(indexLink, destination, failure(error, endTimeMicros));
      // A dry run has no name.
      else if (result && "bytesWritten" in result && result.backup.name !== "")
        change(
          indexLink,
          destination,
          success(result, endTimeMicros, endTimeMicros - startTimeMicros),
        );
      else return;
      void write();
    },
    noteAutoBackup(run, { indexLink, destination }) {
      if (run.outcome === "skipped") return;
      const nowMicros = platform.nowMicros();
      change(
        indexLink,
        destination,
        run.outcome === "failed"
          ? failure(run.error, nowMicros)
          : success(run, nowMicros, run.micros),
      );
      timer ??= setTimeout(() => void write(), limits.backupRecordsWriteMs).unref();
    },
    async close() {
      await writing;
      if (timer !== undefined) await write();
    },
  };
}

const empty = {
  lastSuccessMicros: 0,
  backupName: "",
  positionMicros: 0,
  bytesWritten: 0,
  sizeBytes: 0,
  durationMicros: 0,
  lastFailureMicros: 0,
  lastError: "",
};

const keyOf = ({ indexLink, destination }: Pick<BackupRecord, "indexLink" | "destination">) =>
  `${indexLink}\n${destination}`;

function isRecord(value: unknown): value is BackupRecord {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Record<string, unknown>;
  const texts = ["indexLink", "destination", "backupName", "lastError"];
  const numbers = [
    "lastSuccessMicros",
    "positionMicros",
    "bytesWritten",
    "sizeBytes",
    "durationMicros",
    "lastFailureMicros",
  ];
  return (
    texts.every((name) => typeof fields[name] === "string") &&
    numbers.every((name) => Number.isSafeInteger(fields[name])) &&
    isWindow(fields["window"])
  );
}

function isWindow(value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Record<string, unknown>;
  return (
    ["earliestMicros", "latestMicros", "historyStartMicros"].every((name) =>
      Number.isSafeInteger(fields[name]),
    ) && ["string", "undefined"].includes(typeof fields["boundingLink"])
  );
}

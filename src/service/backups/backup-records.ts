import type { AutoBackupRun } from "../../backup/schedule/auto-backup.js";
import { type HostError } from "../../errors.js";
import { JsonFile } from "../../io/json-file.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { BackupRecord } from "../host/description.js";
import type { BackupResult } from "../../backup/backup-request.js";
import type { OperationView } from "../../operation/operation.js";

/** Options of BackupRecords. */
export interface BackupRecordsOptions {
  platform: Pick<Platform, "files" | "randomHex" | "nowMicros">;
  path: string;
  warn(fields: object, message: string): void;
}

/** Last results of backups, one record per index and destination. Keeps the newest limits.backupRecords across restarts. */
export class BackupRecords {
  private readonly records = new Map<string, BackupRecord>();
  private timer: NodeJS.Timeout | undefined;
  private dirty = false;
  private writing: Promise<void> | undefined;

  private constructor(
    private readonly options: BackupRecordsOptions,
    private readonly file: JsonFile<BackupRecord[]>,
    records: readonly BackupRecord[],
  ) {
    for (const record of records) this.records.set(keyOf(record), record);
  }

  /** Loads the records. Starts without records if the file cannot be read or is not valid. */
  static async open(options: BackupRecordsOptions): Promise<BackupRecords> {
    const file = new JsonFile<BackupRecord[]>({
      platform: options.platform,
      path: options.path,
      maxBytes: limits.backupRecordBytes,
      parse: (value) => (Array.isArray(value) && value.every(isRecord) ? value : undefined),
    });
    return new BackupRecords(options, file, await load(file, options));
  }

  /** Returns the records, newest first. */
  all(): readonly BackupRecord[] {
    return [...this.records.values()].reverse();
  }

  /** Records a completed operation. Ignores everything except backups; ignores dry runs. */
  noteOperation({
    kind,
    indexLink,
    target,
    startTimeMicros,
    endTimeMicros = this.options.platform.nowMicros(),
    error,
    result,
  }: OperationView): void {
    if (kind !== "backup") return;
    // A cancelled backup says nothing about the destination.
    if (error?.reason === "OPERATION_CANCELLED") return;
    // One record for all transfers, whose names are unique.
    const destination = target.replace(/^transfer:.*/s, "transfer:");
    if (error) this.change(indexLink, destination, failure(error, endTimeMicros));
    // A dry run has no name.
    else if (result && "bytesWritten" in result && result.backup.name !== "")
      this.change(
        indexLink,
        destination,
        success(result, endTimeMicros, endTimeMicros - startTimeMicros),
      );
    else return;
    void this.write();
  }

  /** Records a run of automatic backups. Writes it to disk within limits.backupRecordsWriteMs. */
  noteAutoBackup(
    run: AutoBackupRun,
    { indexLink, destination }: { indexLink: string; destination: string },
  ): void {
    if (run.outcome === "skipped") return;
    const nowMicros = this.options.platform.nowMicros();
    this.change(
      indexLink,
      destination,
      run.outcome === "failed"
        ? failure(run.error, nowMicros)
        : success(run, nowMicros, run.micros),
    );
    this.timer ??= setTimeout(() => void this.write(), limits.backupRecordsWriteMs).unref();
  }

  /** Writes pending records to disk. */
  async close(): Promise<void> {
    await this.writing;
    if (this.timer !== undefined) await this.write();
  }

  private change(indexLink: string, destination: string, fields: Partial<BackupRecord>): void {
    const key = keyOf({ indexLink, destination });
    const before = this.records.get(key) ?? { ...empty, indexLink, destination };
    // Insertion order is the order of age.
    this.records.delete(key);
    this.records.set(key, { ...before, ...fields });
    const [oldest] = this.records.keys();
    if (this.records.size > limits.backupRecords && oldest !== undefined)
      this.records.delete(oldest);
  }

  private write(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.dirty = true;
    return (this.writing ??= this.writeWhileDirty());
  }

  private async writeWhileDirty(): Promise<void> {
    const { path, warn } = this.options;
    while (this.dirty) {
      this.dirty = false;
      await this.file
        .write(this.all())
        .catch((error: unknown) =>
          warn(
            { err: error, path },
            "the records of backups could not be written; they are kept until the host stops",
          ),
        );
    }
    this.writing = undefined;
  }
}

async function load(
  file: JsonFile<BackupRecord[]>,
  { path, warn }: BackupRecordsOptions,
): Promise<BackupRecord[]> {
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

function success(
  {
    backup,
    bytesWritten,
    warnings,
  }: Pick<BackupResult, "backup" | "bytesWritten"> & { warnings: readonly string[] },
  atMicros: number,
  durationMicros: number,
): Partial<BackupRecord> {
  return {
    lastSuccessMicros: atMicros,
    backupName: backup.name,
    positionMicros: backup.positionMicros,
    bytesWritten,
    sizeBytes: backup.sizeBytes,
    durationMicros,
    lastError: "",
    warnings: warnings
      .slice(0, limits.backupRecordWarnings)
      .map((warning) => warning.slice(0, limits.backupErrorChars)),
    window: backup.window,
  };
}

function failure({ message }: HostError, atMicros: number): Partial<BackupRecord> {
  return {
    lastFailureMicros: atMicros,
    lastError: message.slice(0, limits.backupErrorChars),
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
    isTexts(fields["warnings"]) &&
    isWindow(fields["window"])
  );
}

function isTexts(value: unknown): boolean {
  return (
    value === undefined ||
    (Array.isArray(value) && value.every((text: unknown) => typeof text === "string"))
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

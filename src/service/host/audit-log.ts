import { join } from "node:path";
import { limits } from "../../limits.js";
import { openAppendedFile, type AppendedFile } from "../../io/appended-file.js";
import type { Platform } from "../../io/platform.js";
import type { Protocol } from "../../security/caller.js";

/** One line of the audit log. */
export interface AuditEntry {
  /** Name of the equivalent RPC for all protocols, or `operation` for the end of an operation. */
  action: string;
  /** OK, or the reason of the returned error. */
  outcome: string;
  /** Name of the caller's token; undefined without tokens or for an unknown token. */
  token?: string | undefined;
  address?: string | undefined;
  via?: Protocol | undefined;
  /** Subject of the action, such as a link, URI or names, without secrets. */
  subject?: string | undefined;
  /** Name of the started or ended operation. */
  operation?: string | undefined;
}

/** Append-only log of actions. */
export interface AuditLog {
  /**
   * Records an action. Resolves when the line is written; it is durable within a second. Never
   * rejects: write errors are reported by onLost.
   */
  record(entry: AuditEntry): Promise<void>;
  /**
   * Records a rejected request. At most limits.auditRefusalsPerMinute are written per minute; a
   * further line has the number of omitted ones.
   */
  refused(entry: AuditEntry): void;
  /** Writes pending lines and closes the files. */
  close(): Promise<void>;
}

/** Options of openAuditLog. */
export interface AuditLogOptions {
  platform: Pick<Platform, "files" | "nowMicros">;
  /**
   * Directory of the log. Actions are in audit.log and rejected requests in refused.log, so that
   * the latter cannot displace the former.
   */
  directory: string;
  /**
   * Called at most once a minute with the number of lines that could not be written, or 0 for
   * another error.
   */
  onLost(error: unknown, count: number): void;
  /** Default: limits.auditFileBytes. */
  fileBytes?: number;
}

/**
 * Opens the log: one JSON object per line, ordered by the end of the actions. Lines are only
 * appended; a limited number of full files is kept.
 */
export async function openAuditLog({
  platform: { files, nowMicros },
  directory,
  onLost,
  fileBytes = limits.auditFileBytes,
}: AuditLogOptions): Promise<AuditLog> {
  const onRotationError = (error: unknown) => lose(error, 0);
  const open = async (name: string, fileCount: number) =>
    createLines(
      await openAppendedFile({
        files,
        path: join(directory, name),
        fileBytes,
        fileCount,
        onRotationError,
      }),
      lose,
    );
  const done = await open("audit.log", limits.auditFiles);
  const refused = await open("refused.log", limits.auditRefusedFiles);
  let minute = 0;
  let refusals = 0;
  let lost = 0;
  let reportedMicros = -Infinity;

  function lose(error: unknown, count: number): void {
    lost += count;
    if (nowMicros() - reportedMicros < 60e6) return;
    onLost(error, lost);
    lost = 0;
    reportedMicros = nowMicros();
  }

  function reportOmitted(): void {
    const more = refusals - limits.auditRefusalsPerMinute;
    refusals = 0;
    if (more > 0)
      void refused.add(
        lineOf(
          {
            action: "refusals",
            outcome: "REFUSED",
            subject: `${more} more requests were rejected in this minute`,
          },
          nowMicros(),
        ),
      );
  }

  const timer = setInterval(() => {
    if (refusals > 0 && Math.floor(nowMicros() / 60e6) !== minute) reportOmitted();
    void done.sync();
    void refused.sync();
  }, limits.auditSyncMs).unref();

  return {
    record: (entry) => done.add(lineOf(entry, nowMicros())),
    refused(entry) {
      const now = Math.floor(nowMicros() / 60e6);
      if (now !== minute) {
        reportOmitted();
        minute = now;
      }
      refusals += 1;
      if (refusals <= limits.auditRefusalsPerMinute) void refused.add(lineOf(entry, nowMicros()));
    },
    async close() {
      clearInterval(timer);
      reportOmitted();
      await Promise.all([done.close(), refused.close()]);
    },
  };
}

/** Batched writer: lines added during a write form the next batch. */
interface Lines {
  /** Resolves when the line is written, or reported as lost. */
  add(line: Buffer): Promise<void>;
  /** `sync` and `close` wait for pending writes and never reject. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

function createLines(file: AppendedFile, lose: (error: unknown, count: number) => void): Lines {
  let waiting: { line: Buffer; written: () => void }[] = [];
  let working: Promise<void> = Promise.resolve();
  let busy = false;

  /** Serializes all access to the file. */
  function next(work: () => Promise<void>): Promise<void> {
    working = working.then(work);
    return working;
  }

  async function writeWaiting(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      await file
        .append(Buffer.concat(batch.map(({ line }) => line)))
        .catch((error: unknown) => lose(error, batch.length));
      for (const { written } of batch) written();
    }
    busy = false;
  }

  return {
    add(line) {
      if (waiting.length >= limits.auditQueue) {
        lose(new Error(`audit queue is full with ${waiting.length} lines`), 1);
        return Promise.resolve();
      }
      return new Promise((written) => {
        waiting.push({ line, written });
        if (busy) return;
        busy = true;
        void next(writeWaiting);
      });
    },
    sync: () => next(() => file.sync().catch((error: unknown) => lose(error, 0))),
    close: () => next(() => file.close().catch((error: unknown) => lose(error, 0))),
  };
}

function lineOf(
  { action, outcome, subject, operation, ...who }: AuditEntry,
  nowMicros: number,
): Buffer {
  const line = {
    time: new Date(nowMicros / 1000).toISOString(),
    action: action.slice(0, limits.auditActionChars),
    outcome,
    subject: subject?.slice(0, limits.auditSubjectChars),
    operation,
    ...who,
  };
  return Buffer.from(`${escaped(JSON.stringify(line))}\n`);
}

/**
 * Escapes characters allowed in JSON that move the cursor or change the text direction of a
 * terminal.
 */
function escaped(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

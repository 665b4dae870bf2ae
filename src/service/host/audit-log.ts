import { join } from "node:path";
import { limits } from "../../limits.js";
import { openAppendedFile, type AppendedFile } from "../../io/appended-file.js";
import type { Platform } from "../../io/platform.js";
import type { Protocol } from "../../security/caller.js";

/** One line of the audit log. */
export interface AuditEntry {
  /** The name of the RPC that does the same, whichever way it was asked for; `operation` for the end of an operation. */
  action: string;
  /** OK, or the reason of the error that was answered. */
  outcome: string;
  /** The name of the caller's token; absent where the host has no tokens or does not know it. */
  token?: string | undefined;
  address?: string | undefined;
  via?: Protocol | undefined;
  /** What it was done to: a link, a URI, names. No secrets. */
  subject?: string | undefined;
  /** The operation that was started, or that ended. */
  operation?: string | undefined;
}

export interface AuditLog {
  /** Resolves when the line is written; it is durable within a second. Never rejects: what cannot be written is reported. */
  record(entry: AuditEntry): Promise<void>;
  /** The same for a request that was refused. Only so many are written in a minute; how many more there were is a line of its own. */
  refused(entry: AuditEntry): void;
  close(): Promise<void>;
}

export interface AuditLogOptions {
  platform: Pick<Platform, "files" | "nowMicros">;
  /** What was done is in audit.log there, what was refused in refused.log: however much of that there is, it pushes nothing else out. */
  directory: string;
  /** Hears, once a minute at most, that so many lines could not be written, or of another fault (0). */
  onLost(error: unknown, count: number): void;
  /** Absent: limits.auditFileBytes. */
  fileBytes?: number;
}

/** Who did what, a JSON object a line, in the order of their ends. Lines are only ever appended; full files are kept beside the new ones, so many of them. */
export async function openAuditLog({
  platform: { files, nowMicros },
  directory,
  onLost,
  fileBytes = limits.auditFileBytes,
}: AuditLogOptions): Promise<AuditLog> {
  const onProblem = (error: unknown) => lose(error, 0);
  const open = async (name: string, fileCount: number) =>
    createLines(
      await openAppendedFile({
        files,
        path: join(directory, name),
        fileBytes,
        fileCount,
        onProblem,
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

  function tellRefusals(): void {
    const more = refusals - limits.auditRefusalsPerMinute;
    refusals = 0;
    if (more > 0)
      void refused.add(
        lineOf(
          {
            action: "refusals",
            outcome: "REFUSED",
            subject: `${more} more requests were refused in this minute`,
          },
          nowMicros(),
        ),
      );
  }

  const timer = setInterval(() => {
    if (refusals > 0 && Math.floor(nowMicros() / 60e6) !== minute) tellRefusals();
    void done.sync();
    void refused.sync();
  }, limits.auditSyncMs).unref();

  return {
    record: (entry) => done.add(lineOf(entry, nowMicros())),
    refused(entry) {
      const now = Math.floor(nowMicros() / 60e6);
      if (now !== minute) {
        tellRefusals();
        minute = now;
      }
      refusals += 1;
      if (refusals <= limits.auditRefusalsPerMinute) void refused.add(lineOf(entry, nowMicros()));
    },
    async close() {
      clearInterval(timer);
      tellRefusals();
      await Promise.all([done.close(), refused.close()]);
    },
  };
}

/** Lines on their way into a file: what comes while a batch is written goes as the next one. */
interface Lines {
  /** Resolves when the line is written, or reported as lost. */
  add(line: Buffer): Promise<void>;
  /** These wait for what goes on with the file, and never reject. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

function createLines(file: AppendedFile, lose: (error: unknown, count: number) => void): Lines {
  let waiting: { line: Buffer; written: () => void }[] = [];
  let working: Promise<void> = Promise.resolve();
  let busy = false;

  /** Everything that touches the file, one after the other. */
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
        lose(new Error(`${waiting.length} lines wait to be written`), 1);
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

/** JSON leaves some characters as they are that move a cursor or turn text around. */
function escaped(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

import { dirname, join } from "node:path";
import { limits } from "../limits.js";
import { errnoOf, type OpenFile } from "../io/file-system.js";
import type { Seams } from "../io/seams.js";
import type { Surface } from "../security/caller.js";

/** One line of the audit log. */
export interface AuditEntry {
  /** The name of the RPC that does the same, whichever way it was asked for; `operation` for the end of an operation. */
  action: string;
  /** OK, or the reason of the error that was answered. */
  outcome: string;
  /** The name of the caller's token; absent where the host has no tokens or does not know it. */
  token?: string | undefined;
  address?: string | undefined;
  via?: Surface | undefined;
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
  seams: Pick<Seams, "files" | "nowMicros">;
  /** The file that is written to; older ones lie beside it with a number before the extension. */
  path: string;
  /** Hears, once a minute at most, that so many lines could not be written. */
  onLost(error: unknown, count: number): void;
  /** Absent: limits.auditFileBytes. */
  fileBytes?: number;
}

/**
 * Who did what, a JSON object a line, in the order of their ends. Lines are only ever appended; a file that is full becomes
 * the newest of limits.auditFiles - 1 older ones.
 */
export async function openAuditLog({ seams: { files, nowMicros }, path, onLost, fileBytes = limits.auditFileBytes }: AuditLogOptions): Promise<AuditLog> {
  await files.makeDirectory(dirname(path)).catch((error: unknown) => {
    if (errnoOf(error) !== "EEXIST") throw error;
  });
  let file = await openOrCreate();
  let sizeBytes = await file.size();
  /** Lines that wait for the write before them. */
  let waiting: { line: Buffer; written: () => void }[] = [];
  let working: Promise<void> | undefined;
  let unsynced = false;
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

  async function openOrCreate(): Promise<OpenFile> {
    try {
      return await files.openToWrite(path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
      const created = await files.create(path);
      await files.syncDirectory(dirname(path));
      return created;
    }
  }

  async function rotate(): Promise<void> {
    await file.sync();
    await file.close();
    for (let number = limits.auditFiles - 1; number > 0; number -= 1) {
      const older = number === 1 ? path : numbered(path, number - 1);
      if ((await files.status(older)) !== undefined) await files.rename(older, numbered(path, number));
    }
    file = await openOrCreate();
    sizeBytes = 0;
    await files.syncDirectory(dirname(path));
  }

  async function write(lines: Buffer): Promise<void> {
    if (sizeBytes > 0 && sizeBytes + lines.length > fileBytes) await rotate();
    await file.write(lines, sizeBytes);
    sizeBytes += lines.length;
    unsynced = true;
  }

  async function work(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      await write(Buffer.concat(batch.map(({ line }) => line))).catch((error: unknown) => lose(error, batch.length));
      for (const { written } of batch) written();
    }
    working = undefined;
  }

  function append(entry: AuditEntry): Promise<void> {
    if (waiting.length >= limits.auditQueue) {
      lose(new Error(`${waiting.length} lines wait to be written`), 1);
      return Promise.resolve();
    }
    const line = Buffer.from(lineOf(entry, nowMicros()));
    return new Promise((written) => {
      waiting.push({ line, written });
      working ??= Promise.resolve().then(work);
    });
  }

  function tellRefusals(): void {
    const more = refusals - limits.auditRefusalsPerMinute;
    refusals = 0;
    if (more > 0) void append({ action: "refusals", outcome: "REFUSED", subject: `${more} more requests were refused in this minute` });
  }

  async function sync(): Promise<void> {
    if (!unsynced) return;
    unsynced = false;
    await file.sync();
  }

  let syncing: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    if (refusals > 0 && Math.floor(nowMicros() / 60e6) !== minute) tellRefusals();
    syncing = syncing.then(() => working).then(sync).catch((error: unknown) => lose(error, 0));
  }, limits.auditSyncMs).unref();

  return {
    record: append,
    refused(entry) {
      const now = Math.floor(nowMicros() / 60e6);
      if (now !== minute) {
        tellRefusals();
        minute = now;
      }
      refusals += 1;
      if (refusals <= limits.auditRefusalsPerMinute) void append(entry);
    },
    async close() {
      clearInterval(timer);
      tellRefusals();
      await syncing;
      await working;
      await sync().catch((error: unknown) => lose(error, 0));
      await file.close();
    },
  };
}

function lineOf({ action, outcome, ...rest }: AuditEntry, nowMicros: number): string {
  const subject = rest.subject === undefined ? undefined : rest.subject.slice(0, limits.auditSubjectChars);
  return `${escaped(JSON.stringify({ time: new Date(nowMicros / 1000).toISOString(), action, outcome, ...rest, subject }))}\n`;
}

/** JSON leaves some characters as they are that move a cursor or turn text around. */
function escaped(json: string): string {
  return json.replace(/[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** audit.log, audit.1.log, audit.2.log: the higher the older. */
function numbered(path: string, number: number): string {
  return join(dirname(path), path.slice(dirname(path).length + 1).replace(/(\.[^.]+)?$/, `.${number}$1`));
}

import { join } from "node:path";
import { HostError, reasons, type HostErrorRecord, type Reason } from "../errors.js";
import { temporaryPrefix, writeFileDurably } from "../io/durable-file.js";
import { readSmallFile } from "../io/read-file.js";
import type { Seams } from "../io/seams.js";
import type { OperationView } from "./model.js";

/** An operation as it is kept: what is seen of it, and by which request id it is found again. */
export interface JournalEntry {
  view: OperationView;
  requestKey?: string;
  fingerprint?: string;
}

/** Operations on the disk, a file each: a host that starts again knows what it had done, and what it was doing. */
export interface OperationJournal {
  /** Durable when it resolves. */
  write(entry: JournalEntry): Promise<void>;
  remove(name: string): Promise<void>;
  /** Oldest first. What was running when the host ended is failed. */
  load(): Promise<JournalEntry[]>;
}

type Stored = Omit<JournalEntry, "view"> & { view: Omit<OperationView, "error"> & { error?: HostErrorRecord } };

const entryBytes = 8 * 1024 * 1024;

export function operationJournal(seams: Pick<Seams, "files" | "randomHex" | "nowMicros">, directory: string): OperationJournal {
  const { files } = seams;
  const pathOf = (name: string) => join(directory, `${name.slice("operations/".length)}.json`);

  async function write({ view: { error, ...view }, ...rest }: JournalEntry): Promise<void> {
    const stored: Stored = { ...rest, view: { ...view, ...(error && { error: error.toRecord() }) } };
    await writeFileDurably(seams, pathOf(view.name), Buffer.from(JSON.stringify(stored)));
  }

  async function read(file: string): Promise<JournalEntry | undefined> {
    try {
      const { view: { error, ...view }, ...rest } = JSON.parse((await readSmallFile(files, join(directory, file), entryBytes)).toString("utf8")) as Stored;
      // A reason that a later version had is not known here.
      const known = error && (error.reason in reasons ? error : { ...error, reason: "INTERNAL" satisfies Reason });
      return { ...rest, view: { ...view, ...(known && { error: HostError.fromRecord(known as HostErrorRecord) }) } };
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
      throw error;
    }
  }

  function interrupted(entry: JournalEntry): JournalEntry {
    const { name, kind } = entry.view;
    const error = new HostError("OPERATION_INTERRUPTED", `The host ended while ${name} (${kind}) was running. It either did all of its work or nothing: look at its target, and ask again if it is not done.`);
    const progress = { ...entry.view.progress, stage: "failed" };
    // Without its request id: who asks again with it wants the work done.
    return { view: { ...entry.view, progress, done: true, error, endTimeMicros: Math.max(entry.view.startTimeMicros, seams.nowMicros()) } };
  }

  return {
    write,
    remove: (name) => files.remove(pathOf(name)),
    async load() {
      if ((await files.status(directory)) === undefined) await files.makeDirectory(directory, "private");
      const entries: JournalEntry[] = [];
      for (const file of await files.list(directory)) {
        const entry = file.startsWith(temporaryPrefix) ? undefined : await read(file);
        if (entry === undefined) await files.remove(join(directory, file));
        else entries.push(entry.view.done ? entry : interrupted(entry));
      }
      entries.sort((a, b) => a.view.startTimeMicros - b.view.startTimeMicros);
      for (const entry of entries) if (entry.view.error?.reason === "OPERATION_INTERRUPTED") await write(entry);
      return entries;
    },
  };
}

import { createHash } from "node:crypto";
import { join } from "node:path";
import { HostError, reasons, type HostErrorRecord, type Reason } from "../errors.js";
import { temporaryPrefix, writeFileDurably } from "../io/durable-file.js";
import { readSmallFile } from "../io/read-file.js";
import type { Platform } from "../io/platform.js";
import type { OperationView } from "./operation.js";
import { fromStoredResult, toStoredResult } from "./stored-result.js";

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
  /** Returns the operations, oldest first. Those that were running when the host stopped are failed. */
  load(): Promise<JournalEntry[]>;
}

type Stored = Omit<JournalEntry, "view"> & {
  view: Omit<OperationView, "error" | "result"> & { error?: HostErrorRecord; result?: unknown };
};

const entryBytes = 8 * 1024 * 1024;

/** Behind the entry on a line of its own: a changed byte must not become a wrong answer. Earlier releases wrote none. */
const digestOf = (json: string) => createHash("sha256").update(json).digest("hex");

/** `onDamaged` receives the path of a file that holds no operation; it is skipped and stays in place. */
export function operationJournal(
  platform: Pick<Platform, "files" | "randomHex" | "nowMicros">,
  directory: string,
  onDamaged: (path: string) => void,
): OperationJournal {
  const { files } = platform;
  const pathOf = (name: string) => join(directory, `${name.slice("operations/".length)}.json`);

  async function write({ view: { error, result, ...view }, ...rest }: JournalEntry): Promise<void> {
    const stored: Stored = {
      ...rest,
      view: {
        ...view,
        ...(error && { error: error.toRecord() }),
        ...(result && { result: toStoredResult(result) }),
      },
    };
    const json = JSON.stringify(stored);
    await writeFileDurably(
      platform,
      pathOf(view.name),
      Buffer.from(`${json}\n${digestOf(json)}\n`),
    );
  }

  async function read(file: string): Promise<JournalEntry | undefined> {
    const path = join(directory, file);
    try {
      const [json = "", digest = ""] = (await readSmallFile(files, path, entryBytes))
        .toString("utf8")
        .split("\n");
      const {
        view: { error, result, ...view },
        ...rest
      } = JSON.parse(json) as Stored;
      if (
        (digest !== "" && digest !== digestOf(json)) ||
        !isOperation(view) ||
        pathOf(view.name) !== path
      )
        return undefined;
      // A reason that a later version had is not known here.
      const known =
        error &&
        (error.reason in reasons ? error : { ...error, reason: "INTERNAL" satisfies Reason });
      return {
        ...rest,
        view: {
          ...view,
          ...(known && { error: HostError.fromRecord(known as HostErrorRecord) }),
          ...(result !== undefined && { result: fromStoredResult(result) }),
        },
      };
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
      throw error;
    }
  }

  function interrupted(entry: JournalEntry): JournalEntry {
    const { name, kind } = entry.view;
    const error = new HostError(
      "OPERATION_INTERRUPTED",
      `The host ended while ${name} (${kind}) was running. It either did all of its work or nothing: look at its target, and ask again if it is not done.`,
    );
    const progress = { ...entry.view.progress, stage: "failed" };
    // Without its request ID: a client that repeats the request wants the work done.
    return {
      view: {
        ...entry.view,
        progress,
        done: true,
        error,
        endTimeMicros: Math.max(entry.view.startTimeMicros, platform.nowMicros()),
      },
    };
  }

  return {
    write,
    remove: (name) => files.remove(pathOf(name)),
    async load() {
      if ((await files.status(directory)) === undefined) await files.makeDirectory(directory);
      const entries: JournalEntry[] = [];
      for (const file of await files.list(directory)) {
        if (file.startsWith(temporaryPrefix)) {
          await files.remove(join(directory, file));
          continue;
        }
        const entry = await read(file);
        if (entry === undefined) onDamaged(join(directory, file));
        else entries.push(entry.view.done ? entry : interrupted(entry));
      }
      entries.sort((a, b) => a.view.startTimeMicros - b.view.startTimeMicros);
      for (const entry of entries)
        if (entry.view.error?.reason === "OPERATION_INTERRUPTED") await write(entry);
      return entries;
    },
  };
}

/** Whether what was read has the fields that every operation has, of their types. */
function isOperation(view: Partial<Record<keyof OperationView, unknown>>): boolean {
  const texts = [view.name, view.kind, view.indexLink, view.target];
  const { progress } = view;
  return (
    texts.every((one) => typeof one === "string") &&
    Number.isSafeInteger(view.startTimeMicros) &&
    typeof view.done === "boolean" &&
    (view.endTimeMicros === undefined ? !view.done : Number.isSafeInteger(view.endTimeMicros)) &&
    typeof progress === "object" &&
    progress !== null
  );
}

import { join } from "node:path";
import { HostError, reasons, type HostErrorRecord, type Reason } from "../errors.js";
import { temporaryPrefix } from "../io/durable-file.js";
import { JsonFile } from "../io/json-file.js";
import type { Platform } from "../io/platform.js";
import type { OperationView } from "./operation.js";
import { fromStoredResult, toStoredResult } from "./stored-result.js";

/** An operation on disk: its state, and the request ID and fingerprint that identify a retry. */
export interface JournalEntry {
  view: OperationView;
  requestKey?: string;
  fingerprint?: string;
}

/**
 * Operations on disk, one file each, so that a restarted host knows past and interrupted
 * operations.
 */
export interface OperationJournal {
  /** Writes an operation durably. */
  write(entry: JournalEntry): Promise<void>;
  remove(name: string): Promise<void>;
  /**
   * Returns the operations, oldest first. Marks operations that were running when the host stopped
   * as failed.
   */
  load(): Promise<JournalEntry[]>;
}

type Stored = Omit<JournalEntry, "view"> & {
  view: Omit<OperationView, "error" | "result"> & { error?: HostErrorRecord; result?: unknown };
};

const entryBytes = 8 * 1024 * 1024;

/**
 * Opens the journal in a directory. `onDamaged` receives the path of each invalid file, which is
 * skipped and kept.
 */
export function operationJournal(
  platform: Pick<Platform, "files" | "randomHex" | "nowMicros">,
  directory: string,
  onDamaged: (path: string) => void,
): OperationJournal {
  const { files } = platform;
  const pathOf = (name: string) => join(directory, `${name.slice("operations/".length)}.json`);

  const fileAt = (path: string) =>
    new JsonFile({
      platform,
      path,
      maxBytes: entryBytes,
      withDigest: true,
      parse(value) {
        const entry = parseEntry(value as Stored);
        return entry && pathOf(entry.view.name) === path ? entry : undefined;
      },
    });

  async function write({ view: { error, result, ...view }, ...rest }: JournalEntry): Promise<void> {
    const stored: Stored = {
      ...rest,
      view: {
        ...view,
        ...(error && { error: error.toRecord() }),
        ...(result && { result: toStoredResult(result) }),
      },
    };
    await fileAt(pathOf(view.name)).write(stored);
  }

  function interrupted(entry: JournalEntry): JournalEntry {
    const { name, kind } = entry.view;
    const error = new HostError(
      "OPERATION_INTERRUPTED",
      `The host stopped while ${name} (${kind}) was running. The operation took effect completely or not at all. Check its target, and repeat the request if needed.`,
    );
    const progress = { ...entry.view.progress, stage: "failed" };
    // Without the request ID, so that a repeated request starts a new operation.
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
        const path = join(directory, file);
        const content = await fileAt(path).read();
        if (content.state === "failed") throw content.error;
        if (content.state !== "read") onDamaged(path);
        else entries.push(content.value.view.done ? content.value : interrupted(content.value));
      }
      entries.sort((a, b) => a.view.startTimeMicros - b.view.startTimeMicros);
      for (const entry of entries)
        if (entry.view.error?.reason === "OPERATION_INTERRUPTED") await write(entry);
      return entries;
    },
  };
}

/** Returns undefined for an object that is no operation. */
function parseEntry({
  view: { error, result, ...view },
  ...rest
}: Stored): JournalEntry | undefined {
  if (!isOperation(view)) return undefined;
  // A later release may have written a reason that this release does not know.
  const known =
    error && (error.reason in reasons ? error : { ...error, reason: "INTERNAL" satisfies Reason });
  return {
    ...rest,
    view: {
      ...view,
      ...(known && { error: HostError.fromRecord(known as HostErrorRecord) }),
      ...(result !== undefined && { result: fromStoredResult(result) }),
    },
  };
}

/** Whether an object has the required fields of an operation, with their types. */
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

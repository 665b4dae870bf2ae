import { join } from "node:path";
import { temporaryPrefix } from "../../io/durable-file.js";
import { JsonFile } from "../../io/json-file.js";
import type { Platform } from "../../io/platform.js";
import { isTransferName, type TransferRecord } from "./transfer.js";

/**
 * The files of transfers in a directory: the bytes `NAME.bin` and the record `NAME.json` of each.
 */
export interface TransferFiles {
  readonly directory: string;
  /** Returns the path of the bytes of a transfer. */
  dataPath(name: string): string;
  /** Writes a record durably. */
  writeRecord(record: TransferRecord): Promise<void>;
  /** Removes the files of a transfer. */
  remove(name: string): Promise<void>;
  /**
   * Returns the records of transfers with both files, and removes partial ones. Keeps an unreadable
   * record and its bytes until `keepMs` after their last change, and passes its path to `onUnreadable`.
   */
  load(keepMs: number, onUnreadable: (path: string) => void): Promise<TransferRecord[]>;
}

const recordBytes = 8 * 1024 * 1024;

/** Accesses the transfers in a directory, which `load` creates if it does not exist. */
export function transferFiles(
  platform: Pick<Platform, "files" | "randomHex">,
  directory: string,
): TransferFiles {
  const { files } = platform;
  const dataPath = (name: string) => join(directory, `${name}.bin`);
  const recordPath = (name: string) => join(directory, `${name}.json`);

  const recordFile = (name: string) =>
    new JsonFile({
      platform,
      path: recordPath(name),
      maxBytes: recordBytes,
      parse: (value) => (isRecordOf(value, name) ? value : undefined),
    });

  async function read(name: string): Promise<TransferRecord | "unreadable" | undefined> {
    const data = await files.status(dataPath(name));
    if (data?.kind !== "file") return undefined;
    const content = await recordFile(name).read();
    if (content.state === "failed") throw content.error;
    if (content.state !== "read") return "unreadable";
    return data.sizeBytes >= content.value.committedBytes ? content.value : "unreadable";
  }

  async function modifiedMs(name: string): Promise<number> {
    const [data, record] = await Promise.all([
      files.status(dataPath(name)),
      files.status(recordPath(name)),
    ]);
    return Math.max(data?.modifiedMs ?? 0, record?.modifiedMs ?? 0);
  }

  return {
    directory,
    dataPath,
    writeRecord: (record) => recordFile(record.name).write(record),
    async remove(name) {
      // The record first, because `load` removes bytes without a record.
      await files.remove(recordPath(name));
      await files.remove(dataPath(name));
    },
    async load(keepMs, onUnreadable) {
      if ((await files.status(directory)) === undefined) await files.makeDirectory(directory);
      const records: TransferRecord[] = [];
      const kept: string[] = [];
      const names = await files.list(directory);
      for (const entry of names) {
        const name =
          entry.endsWith(".json") && !entry.startsWith(temporaryPrefix)
            ? entry.slice(0, -".json".length)
            : undefined;
        const record = name !== undefined && isTransferName(name) ? await read(name) : undefined;
        if (
          name !== undefined &&
          record === "unreadable" &&
          (await modifiedMs(name)) > Date.now() - keepMs
        ) {
          onUnreadable(recordPath(name));
          kept.push(name);
        } else if (record !== undefined && record !== "unreadable") records.push(record);
      }
      const known = new Set(
        [...kept, ...records.map(({ name }) => name)].flatMap((name) => [
          `${name}.bin`,
          `${name}.json`,
        ]),
      );
      for (const entry of names)
        if (!known.has(entry)) await files.removeTree(join(directory, entry));
      return records;
    },
  };
}

function isRecordOf(value: unknown, name: string): value is TransferRecord {
  const record = value as Partial<TransferRecord> | null;
  return (
    record?.name === name &&
    [record.sizeBytes, record.committedBytes, record.createTimeMicros].every(Number.isSafeInteger)
  );
}

import { join } from "node:path";
import { temporaryPrefix } from "../../io/durable-file.js";
import { JsonFile } from "../../io/json-file.js";
import type { Platform } from "../../io/platform.js";
import { isTransferName, type TransferRecord } from "./transfer.js";

const recordBytes = 8 * 1024 * 1024;

/** The files of transfers in a directory: the bytes `NAME.bin` and the record `NAME.json` of each. */
export class TransferFiles {
  readonly directory: string;
  readonly #platform: Pick<Platform, "files" | "randomHex">;

  /** `load` creates the directory if it does not exist. */
  constructor(platform: Pick<Platform, "files" | "randomHex">, directory: string) {
    this.#platform = platform;
    this.directory = directory;
  }

  /** Returns the path of the bytes of a transfer. */
  dataPath(name: string): string {
    return join(this.directory, `${name}.bin`);
  }

  /** Writes a record durably. */
  writeRecord(record: TransferRecord): Promise<void> {
    return this.#recordFile(record.name).write(record);
  }

  /** Removes the files of a transfer. */
  async remove(name: string): Promise<void> {
    const { files } = this.#platform;
    // The record first, because `load` removes bytes without a record.
    await files.remove(this.#recordPath(name));
    await files.remove(this.dataPath(name));
  }

  /**
   * Returns the records of transfers with both files, and removes partial ones. Keeps an unreadable
   * record and its bytes until `keepMs` after their last change, and passes its path to `onUnreadable`.
   */
  async load(keepMs: number, onUnreadable: (path: string) => void): Promise<TransferRecord[]> {
    const { files } = this.#platform;
    if ((await files.status(this.directory)) === undefined)
      await files.makeDirectory(this.directory);
    const records: TransferRecord[] = [];
    const kept = new Set<string>();
    const entries = await files.list(this.directory);
    for (const name of entries.flatMap(nameOfRecord)) {
      const record = await this.#read(name);
      if (record === undefined) continue;
      if (record !== "unreadable") records.push(record);
      else if ((await this.#modifiedMs(name)) > Date.now() - keepMs)
        onUnreadable(this.#recordPath(name));
      else continue;
      kept.add(`${name}.bin`).add(`${name}.json`);
    }
    for (const entry of entries)
      if (!kept.has(entry)) await files.removeTree(join(this.directory, entry));
    return records;
  }

  #recordPath(name: string): string {
    return join(this.directory, `${name}.json`);
  }

  #recordFile(name: string): JsonFile<TransferRecord> {
    return new JsonFile({
      platform: this.#platform,
      path: this.#recordPath(name),
      maxBytes: recordBytes,
      parse: (value) => (isRecordOf(value, name) ? value : undefined),
    });
  }

  async #read(name: string): Promise<TransferRecord | "unreadable" | undefined> {
    const data = await this.#platform.files.status(this.dataPath(name));
    if (data?.kind !== "file") return undefined;
    const content = await this.#recordFile(name).read();
    if (content.state === "failed") throw content.error;
    if (content.state !== "read") return "unreadable";
    return data.sizeBytes >= content.value.committedBytes ? content.value : "unreadable";
  }

  async #modifiedMs(name: string): Promise<number> {
    const { files } = this.#platform;
    const [data, record] = await Promise.all([
      files.status(this.dataPath(name)),
      files.status(this.#recordPath(name)),
    ]);
    return Math.max(data?.modifiedMs ?? 0, record?.modifiedMs ?? 0);
  }
}

/** The name of the transfer whose record this file is, or nothing. */
function nameOfRecord(entry: string): string[] {
  if (!entry.endsWith(".json") || entry.startsWith(temporaryPrefix)) return [];
  const name = entry.slice(0, -".json".length);
  return isTransferName(name) ? [name] : [];
}

function isRecordOf(value: unknown, name: string): value is TransferRecord {
  const record = value as Partial<TransferRecord> | null;
  return (
    record?.name === name &&
    [record.sizeBytes, record.committedBytes, record.createTimeMicros].every(Number.isSafeInteger)
  );
}

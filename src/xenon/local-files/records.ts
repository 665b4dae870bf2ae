import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { temporaryPrefix } from "../../io/durable-file.js";
import { fromFileError } from "../../io/file-error.js";
import { JsonFile } from "../../io/json-file.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { FileService } from "./file-service.js";

/** Persisted state of a file service, without the progress of an upload. */
export interface FileRecord extends Omit<FileService, "upload"> {
  /**
   * Path of the partial upload, which is removed at the next start. The name is part of the file
   * format.
   */
  unfinished?: string;
  /** Version of the last published file. */
  published?: string;
  publishedBytes?: number;
}

/** Persisted file services, one file each. */
export interface FileRecords {
  /** Writes a record. Resolves when it is durable. */
  write(record: FileRecord): Promise<void>;
  /** Removes a record. Resolves when the removal is durable. */
  remove(link: string): Promise<void>;
  /** Loads all records. `onUnreadable` is called with the path of each invalid one. */
  load(onUnreadable: (path: string) => void): Promise<FileRecord[]>;
}

/** Names of partial uploads. No other file is ever removed because of a record. */
const partialPattern = /^\.upload-[0-9a-f]{16}\.holdfast$/;

/** Removes `unfinished` from a record unless it is the name of a partial upload. */
function withValidPartial({ unfinished, ...record }: FileRecord): FileRecord {
  return unfinished !== undefined && partialPattern.test(basename(unfinished))
    ? { ...record, unfinished }
    : record;
}

/** Opens the records in a directory, which is created when they are loaded. */
export function fileRecords(
  platform: Pick<Platform, "files" | "randomHex">,
  directory: string,
): FileRecords {
  const { files } = platform;
  const pathOf = (link: string) =>
    join(directory, `${createHash("sha256").update(link).digest("hex").slice(0, 32)}.json`);

  const fileAt = (path: string) =>
    new JsonFile({
      platform,
      path,
      maxBytes: limits.managementBodyBytes * 2,
      parse: (value) => (isFileRecord(value) ? withValidPartial(value) : undefined),
    });

  async function withErrorContext(link: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw fromFileError(error, `Saving file service ${link}`);
    }
  }

  return {
    write: (record) =>
      withErrorContext(record.link, () => fileAt(pathOf(record.link)).write(record)),
    remove: (link) =>
      withErrorContext(link, async () => {
        await files.remove(pathOf(link));
        await files.syncDirectory(directory);
      }),
    async load(onUnreadable) {
      if ((await files.status(directory)) === undefined) await files.makeDirectory(directory);
      const records: FileRecord[] = [];
      for (const name of await files.list(directory)) {
        const path = join(directory, name);
        if (name.startsWith(temporaryPrefix)) {
          await files.remove(path);
          continue;
        }
        const content = await fileAt(path).read();
        if (content.state === "failed") throw content.error;
        if (content.state === "read") records.push(content.value);
        else onUnreadable(path);
      }
      return records;
    },
  };
}

function isFileRecord(value: unknown): value is FileRecord {
  const record = value as Partial<FileRecord> | null;
  return (
    typeof record?.link === "string" &&
    typeof record.localFileUri === "string" &&
    Array.isArray(record.fileOptions)
  );
}

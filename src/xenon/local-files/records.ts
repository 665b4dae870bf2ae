import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { HostError } from "../../errors.js";
import { temporaryPrefix, writeFileDurably } from "../../io/durable-file.js";
import { fromFileError } from "../../io/file-error.js";
import { readSmallFile } from "../../io/read-file.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { FileService } from "./file-service.js";

/** What is kept of a service over a restart: not what has come of an upload. */
export interface FileRecord extends Omit<FileService, "upload"> {
  /** Where the bytes of an upload lie that is not all there: removed at the next start. */
  unfinished?: string;
  /** The version of the file that was put there last. */
  published?: string;
  publishedBytes?: number;
}

/** The services on the disk, a file each. */
export interface FileRecords {
  /** Durable when it resolves. */
  write(record: FileRecord): Promise<void>;
  remove(link: string): Promise<void>;
  load(onUnreadable: (path: string) => void): Promise<FileRecord[]>;
}

/** What an upload's unfinished file is called. Only such a name is ever removed because a record says so. */
const unfinishedPattern = /^\.upload-[0-9a-f]{16}\.holdfast$/;

/** A record whose unfinished file is none of ours: without it, so that nothing is removed. */
function withoutForeign({ unfinished, ...record }: FileRecord): FileRecord {
  return unfinished !== undefined && unfinishedPattern.test(basename(unfinished))
    ? { ...record, unfinished }
    : record;
}

export function fileRecords(
  platform: Pick<Platform, "files" | "randomHex">,
  directory: string,
): FileRecords {
  const { files } = platform;
  const pathOf = (link: string) =>
    join(directory, `${createHash("sha256").update(link).digest("hex").slice(0, 32)}.json`);

  async function read(path: string): Promise<FileRecord | undefined> {
    try {
      const record = JSON.parse(
        (await readSmallFile(files, path, limits.managementBodyBytes * 2)).toString("utf8"),
      ) as FileRecord | null;
      const sound =
        typeof record?.link === "string" &&
        typeof record.localFileUri === "string" &&
        Array.isArray(record.fileOptions);
      return sound ? withoutForeign(record) : undefined;
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof HostError) return undefined;
      throw error;
    }
  }

  async function named(link: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw fromFileError(error, `Writing down the service ${link}`);
    }
  }

  return {
    write: (record) =>
      named(record.link, () =>
        writeFileDurably(platform, pathOf(record.link), Buffer.from(JSON.stringify(record))),
      ),
    remove: (link) =>
      named(link, async () => {
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
        const record = await read(path);
        if (record === undefined) onUnreadable(path);
        else records.push(record);
      }
      return records;
    },
  };
}

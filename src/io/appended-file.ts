import { basename, dirname, join } from "node:path";
import { errnoOf, type FileSystem, type OpenFile } from "./file-system.js";

/** An append-only file of lines with rotation. Calls must not overlap. */
export interface AppendedFile {
  /** Appends whole lines, and rotates the file first if it would become too large. */
  append(lines: Buffer): Promise<void>;
  /** Resolves when all appended lines are durable. Reopens the file if it was moved or removed. */
  sync(): Promise<void>;
  /** Syncs and closes the file. */
  close(): Promise<void>;
}

/** Options of an appended file. */
export interface AppendedFileOptions {
  files: FileSystem;
  path: string;
  /** Size from which the file is rotated. */
  fileBytes: number;
  /** Number of files, including the rotated ones. name.1.log is the newest of those. */
  fileCount: number;
  /** Called if the rotation fails. Lines are still appended to the file. */
  onRotationError(error: unknown): void;
}

/** Opens or creates an append-only file, and its directory. */
export async function openAppendedFile({
  files,
  path,
  fileBytes,
  fileCount,
  onRotationError,
}: AppendedFileOptions): Promise<AppendedFile> {
  await files.makeDirectory(dirname(path)).catch((error: unknown) => {
    if (errnoOf(error) !== "EEXIST") throw error;
  });
  let file: OpenFile;
  let sizeBytes = 0;
  /**
   * After a failed rotation, the next attempt is made when the file has grown by fileBytes again.
   */
  let rotateAt = fileBytes;
  let unsynced = false;
  await open();

  async function open(): Promise<void> {
    file = await files.openToAppend(path);
    sizeBytes = await file.size();
    rotateAt = fileBytes;
    await files.syncDirectory(dirname(path));
    // Keeps a line that a crash cut off separate from the next one.
    const last = Buffer.alloc(1);
    if (sizeBytes > 0 && (await file.read(last, sizeBytes - 1)) === 1 && last[0] !== newline) {
      await file.write(Buffer.of(newline), sizeBytes);
      sizeBytes += 1;
    }
  }

  async function reopen(): Promise<void> {
    const old = file;
    await open();
    await old.close();
  }

  async function rotate(): Promise<void> {
    try {
      await file.sync();
      for (let number = fileCount - 1; number > 0; number -= 1) {
        const newer = number === 1 ? path : numbered(path, number - 1);
        if ((await files.status(newer)) !== undefined)
          await files.rename(newer, numbered(path, number));
      }
      await reopen();
    } catch (error) {
      rotateAt = sizeBytes + fileBytes;
      onRotationError(error);
    }
  }

  /** Whether the path still names the open file. */
  async function isCurrent(): Promise<boolean> {
    const [open, named] = await Promise.all([
      file.realPath(),
      files.realPath(path).catch(() => ""),
    ]);
    return open === undefined || open === named;
  }

  return {
    async append(lines) {
      if (sizeBytes > 0 && sizeBytes + lines.length > rotateAt) await rotate();
      await file.write(lines, sizeBytes);
      sizeBytes += lines.length;
      unsynced = true;
    },
    async sync() {
      if (unsynced) await file.sync();
      unsynced = false;
      if (!(await isCurrent())) await reopen();
    },
    async close() {
      if (unsynced) await file.sync();
      await file.close();
    },
  };
}

const newline = 0x0a;

/** Returns the path of a rotated file: audit.1.log, audit.2.log. A higher number is older. */
function numbered(path: string, number: number): string {
  return join(dirname(path), basename(path).replace(/(\.[^.]+)?$/, `.${number}$1`));
}

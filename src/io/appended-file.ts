import { basename, dirname, join } from "node:path";
import { errnoOf, type FileSystem, type OpenFile } from "./file-system.js";

/** A file that lines are only ever added to. Not for several callers at a time. */
export interface AppendedFile {
  /** Adds whole lines; a file that would become too large is put aside first. Rejects where they could not be written. */
  append(lines: Buffer): Promise<void>;
  /** Resolves when everything added is durable. Opens the file again if it was moved or removed. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface AppendedFileOptions {
  files: FileSystem;
  path: string;
  /** How large a file may become. */
  fileBytes: number;
  /** How many there may be with the ones put aside: name.1.log is the newest of them. */
  fileCount: number;
  /** Hears that a full file could not be put aside; it is added to further. */
  onProblem(error: unknown): void;
}

export async function openAppendedFile({
  files,
  path,
  fileBytes,
  fileCount,
  onProblem,
}: AppendedFileOptions): Promise<AppendedFile> {
  await files.makeDirectory(dirname(path)).catch((error: unknown) => {
    if (errnoOf(error) !== "EEXIST") throw error;
  });
  let file: OpenFile;
  let sizeBytes = 0;
  /** A file that could not be put aside is tried again when it has grown by as much once more. */
  let rotateAt = fileBytes;
  let unsynced = false;
  await open();

  async function open(): Promise<void> {
    file = await files.openToAppend(path);
    sizeBytes = await file.size();
    rotateAt = fileBytes;
    await files.syncDirectory(dirname(path));
    // A line that was cut off by a crash stays a line of its own.
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
      onProblem(error);
    }
  }

  /** Whether the path still leads to the file that is open. */
  async function isInPlace(): Promise<boolean> {
    const [open, there] = await Promise.all([
      file.realPath(),
      files.realPath(path).catch(() => ""),
    ]);
    return open === undefined || open === there;
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
      if (!(await isInPlace())) await reopen();
    },
    async close() {
      if (unsynced) await file.sync();
      await file.close();
    },
  };
}

const newline = 0x0a;

/** audit.log, audit.1.log, audit.2.log: the higher the older. */
function numbered(path: string, number: number): string {
  return join(dirname(path), basename(path).replace(/(\.[^.]+)?$/, `.${number}$1`));
}

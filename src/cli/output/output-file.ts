import { constants, open as openDescriptor, type Stats } from "node:fs";
import { lstat, open, readlink, stat, type FileHandle } from "node:fs/promises";
import { Socket } from "node:net";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { HostError } from "../../errors.js";
import { publishFile, temporaryName } from "../../io/durable-file.js";
import { errnoOf } from "../../io/file-system.js";
import { systemPlatform } from "../../io/platform.js";

/** Destination of a stream of bytes. */
export interface Sink {
  /** Writes data after what was written before, and waits while the destination accepts no more. */
  write(data: Uint8Array): Promise<void>;
}

/**
 * Writes the output of `work` to a path and returns its result. A regular file is replaced
 * atomically once the output is complete, keeps its mode, and is unchanged if `work` fails.
 * Symbolic links are followed; pipes and devices are written directly. Throws DESTINATION_MISSING,
 * DESTINATION_FULL or DESTINATION_FAILED.
 */
export async function writeOutput<T>(
  given: string,
  signal: AbortSignal,
  work: (sink: Sink) => Promise<T>,
): Promise<T> {
  let path = resolve(given);
  try {
    path = await followLinks(path);
    const found = await stat(path).catch((error: unknown) => {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    });
    if (found?.isFIFO()) return await writePipe(path, signal, work);
    if (found?.isCharacterDevice() || found?.isBlockDevice()) return await writeThrough(path, work);
    if (found && !found.isFile())
      throw new HostError(
        "DESTINATION_FAILED",
        `Cannot write to ${path}: it is a ${found.isDirectory() ? "directory" : "socket"}. Name a file with -o.`,
      );
    return await replaceFile(path, found, work);
  } catch (error) {
    throw error instanceof HostError || errnoOf(error) === undefined
      ? error
      : fileError(path, error);
  }
}

const maxLinks = 40;

/**
 * Resolves symbolic links, including a last one to a file that does not exist yet, which realpath
 * rejects.
 */
async function followLinks(given: string): Promise<string> {
  let path = given;
  for (let links = 0; links < maxLinks; links += 1) {
    const found = await lstat(path).catch(() => undefined);
    if (!found?.isSymbolicLink()) return path;
    // A link below /proc refers to an open file; its text may not be a path.
    if ((await stat(path).catch(() => undefined))?.isFile() === false) return path;
    path = resolve(dirname(path), await readlink(path));
  }
  throw new HostError(
    "DESTINATION_FAILED",
    `Cannot write to ${given}: its symbolic links form a loop. Name a file with -o.`,
  );
}

async function replaceFile<T>(
  path: string,
  replaced: Stats | undefined,
  work: (sink: Sink) => Promise<T>,
): Promise<T> {
  const temporary = join(dirname(path), temporaryName(systemPlatform));
  const file = await open(temporary, "wx", replaced === undefined ? 0o666 : replaced.mode & 0o777);
  let isPublished = false;
  try {
    const result = await work(sinkOf(file, path));
    await file.close();
    await publishFile(systemPlatform, temporary, path);
    isPublished = true;
    return result;
  } finally {
    if (!isPublished) {
      await file.close().catch(() => {});
      await systemPlatform.files.remove(temporary).catch(() => {});
    }
  }
}

async function writeThrough<T>(path: string, work: (sink: Sink) => Promise<T>): Promise<T> {
  const file = await open(path, constants.O_WRONLY);
  try {
    return await work(sinkOf(file, path));
  } finally {
    await file.close();
  }
}

const readerPollMs = 100;

/**
 * Waits for a reader by polling: a blocking open would occupy a thread, which keeps an interrupted
 * command from exiting.
 */
async function writePipe<T>(
  path: string,
  signal: AbortSignal,
  work: (sink: Sink) => Promise<T>,
): Promise<T> {
  let descriptor: number | undefined;
  while (descriptor === undefined) {
    descriptor = await promisify(openDescriptor)(
      path,
      constants.O_WRONLY | constants.O_NONBLOCK,
    ).catch(async (error: unknown) => {
      if (errnoOf(error) !== "ENXIO") throw error;
      await sleep(readerPollMs, undefined, { signal });
      return undefined;
    });
  }
  const socket = new Socket({ fd: descriptor, readable: false, writable: true });
  // Errors are reported by each write.
  socket.on("error", () => {});
  const abort = () => socket.destroy(signal.reason as Error);
  signal.addEventListener("abort", abort);
  const completed = (start: (callback: (error?: Error | null) => void) => void) =>
    new Promise<void>((resolve, reject) =>
      start((error) =>
        error ? reject(signal.aborted ? error : fileError(path, error)) : resolve(),
      ),
    );
  try {
    const result = await work({
      write: (data) => completed((callback) => socket.write(data, callback)),
    });
    await completed((callback) => socket.end(callback));
    return result;
  } finally {
    signal.removeEventListener("abort", abort);
    socket.destroy();
  }
}

function sinkOf(file: FileHandle, path: string): Sink {
  return {
    async write(data) {
      await file.appendFile(data).catch((error: unknown) => {
        throw fileError(path, error);
      });
    },
  };
}

function fileError(path: string, error: unknown): HostError {
  const code = errnoOf(error) ?? "unknown error";
  const details = { cause: error };
  if (code === "ENOENT" || code === "ENOTDIR")
    return new HostError(
      "DESTINATION_MISSING",
      `Cannot write to ${path}: the directory does not exist. Create it, or name another file with -o.`,
      details,
    );
  if (code === "EPIPE")
    return new HostError(
      "DESTINATION_FAILED",
      `Cannot write to ${path}: the reader closed the pipe before the output was complete.`,
      details,
    );
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG") {
    return new HostError(
      "DESTINATION_FULL",
      `Cannot write to ${path}: no space left, or the file would be too large. An existing file is unchanged. Free space, or name another file with -o.`,
      details,
    );
  }
  return new HostError(
    "DESTINATION_FAILED",
    `Cannot write to ${path} (${code}). An existing file is unchanged.`,
    details,
  );
}

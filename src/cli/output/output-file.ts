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

/** Takes bytes in order, and waits while the other end takes no more. */
export interface Sink {
  write(data: Uint8Array): Promise<void>;
}

/**
 * Writes the output of `work` to a path. A regular file is replaced when the output is complete, keeps its mode, and stays as it was
 * when the work fails; symbolic links are followed; a pipe or a device is written through. Errors: DESTINATION_MISSING,
 * DESTINATION_FULL, DESTINATION_FAILED.
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

const mostLinks = 40;

/** Where the path leads, also where the last link leads to a file that does not exist yet. */
async function followLinks(given: string): Promise<string> {
  let path = given;
  for (let links = 0; links < mostLinks; links += 1) {
    const found = await lstat(path).catch(() => undefined);
    if (!found?.isSymbolicLink()) return path;
    // A link of /proc leads to an open file, whatever its text says.
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

/** Waits for a reader as any other writer does, but without a blocked thread: an interrupted command has to end. */
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
  // Each write reports its own error.
  socket.on("error", () => {});
  const abort = () => socket.destroy(signal.reason as Error);
  signal.addEventListener("abort", abort);
  const written = (start: (done: (error?: Error | null) => void) => void) =>
    new Promise<void>((done, fail) =>
      start((error) => (error ? fail(signal.aborted ? error : fileError(path, error)) : done())),
    );
  try {
    const result = await work({ write: (data) => written((done) => socket.write(data, done)) });
    await written((done) => socket.end(done));
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
      `Cannot write to ${path}: its directory does not exist. Create it, or name another file with -o.`,
      details,
    );
  if (code === "EPIPE")
    return new HostError(
      "DESTINATION_FAILED",
      `Cannot write to ${path}: its reader closed the pipe before the output was complete.`,
      details,
    );
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG") {
    return new HostError(
      "DESTINATION_FULL",
      `Cannot write to ${path}: no space is left, or the file would be too large. A file that was there is unchanged. Free space, or name another file with -o.`,
      details,
    );
  }
  return new HostError(
    "DESTINATION_FAILED",
    `Cannot write to ${path} (${code}). A file that was there is unchanged.`,
    details,
  );
}

import { constants, type BigIntStats } from "node:fs";
import * as fsp from "node:fs/promises";
import { HostError } from "../errors.js";
import { errnoOf, type FileStatus, type FileSystem, type OpenFile } from "./file-system.js";

function statusOf(stat: BigIntStats): FileStatus {
  const version = [stat.dev, stat.ino, stat.size, stat.mtimeNs]
    .map((one) => one.toString(36))
    .join("-");
  const access = { mode: Number(stat.mode) & 0o7777, uid: Number(stat.uid), gid: Number(stat.gid) };
  return {
    kind: stat.isFile() ? "file" : stat.isDirectory() ? "directory" : "other",
    sizeBytes: Number(stat.size),
    modifiedMs: Number(stat.mtimeMs),
    access,
    version,
  };
}

/**
 * Opens a regular file. Opening a pipe would block one of the four threads that Node uses for all
 * files until another process writes to the pipe.
 */
async function openRegular(path: string, flags: number, mode?: number): Promise<OpenFile> {
  const handle = await fsp.open(path, flags | constants.O_NONBLOCK, mode);
  try {
    if (!(await handle.stat()).isFile())
      throw new HostError(
        "DESTINATION_FAILED",
        `Cannot open ${path}: not a regular file. Remove it, or use another path.`,
        { metadata: { path } },
      );
    return wrap(handle);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function wrap(handle: fsp.FileHandle): OpenFile {
  async function write(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await handle.write(
        bytes,
        done,
        bytes.length - done,
        position + done,
      );
      done += bytesWritten;
    }
  }

  return {
    write,
    async writeMany(chunks, position) {
      let { bytesWritten } = await handle.writev(chunks, position);
      let at = position;
      // writev may write less than all chunks.
      for (const chunk of chunks) {
        const done = Math.min(chunk.length, bytesWritten);
        if (done < chunk.length) await write(chunk.subarray(done), at + done);
        bytesWritten -= done;
        at += chunk.length;
      }
    },
    async read(buffer, position) {
      let done = 0;
      while (done < buffer.length) {
        const { bytesRead } = await handle.read(
          buffer,
          done,
          buffer.length - done,
          position + done,
        );
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    },
    async size() {
      return (await handle.stat()).size;
    },
    async status() {
      return statusOf(await handle.stat({ bigint: true }));
    },
    async realPath() {
      // Only Linux provides the path of an open file.
      return fsp.readlink(`/proc/self/fd/${handle.fd}`).catch(() => undefined);
    },
    async setAccess({ mode, uid, gid }) {
      const own = await handle.stat();
      if (own.uid !== uid || own.gid !== gid) {
        await handle.chown(uid, gid).catch((error: unknown) => {
          // Only root may change the owner. The mode still protects the file.
          if (errnoOf(error) !== "EPERM") throw error;
        });
      }
      // Changing the owner clears bits of the mode, so the mode is set last.
      await handle.chmod(mode);
    },
    async truncate(sizeBytes) {
      await handle.truncate(sizeBytes);
    },
    async sync() {
      await handle.sync();
    },
    async close() {
      await handle.close();
    },
  };
}

/** The file system of this machine. */
export const nodeFileSystem: FileSystem = {
  async create(path) {
    return wrap(await fsp.open(path, "wx+", 0o600));
  },
  async openToRead(path) {
    return openRegular(path, constants.O_RDONLY);
  },
  async openToAppend(path) {
    return openRegular(
      path,
      constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW,
      0o600,
    );
  },
  async openToWrite(path) {
    return openRegular(path, constants.O_RDWR);
  },
  rename: (from, to) => fsp.rename(from, to),
  remove: (path) => fsp.rm(path, { force: true }),
  removeTree: (path) => fsp.rm(path, { recursive: true, force: true }),
  removeEmptyDirectory: (path) => fsp.rmdir(path),
  async makeDirectory(path) {
    await fsp.mkdir(path, { mode: 0o700 });
  },
  async list(path) {
    return (await fsp.readdir(path)).sort();
  },
  async status(path) {
    try {
      return statusOf(await fsp.stat(path, { bigint: true }));
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
      throw error;
    }
  },
  realPath: (path) => fsp.realpath(path),
  async syncDirectory(path) {
    const handle = await fsp.open(path, constants.O_RDONLY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async freeBytes(path) {
    const { bavail, bsize } = await fsp.statfs(path);
    return bavail * bsize;
  },
  async totalBytes(path) {
    const { blocks, bsize } = await fsp.statfs(path);
    return blocks * bsize;
  },
};

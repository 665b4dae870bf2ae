import type { FileSystem, OpenFile } from "../../src/io/file-system.js";
import { nodeFileSystem } from "../../src/io/node-file-system.js";

export type FaultKind =
  "create" | "openToWrite" | "write" | "sync" | "rename" | "syncDirectory" | "remove";

/** A file system whose nth call of a kind fails once, before or after its work. */
export interface FaultyFileSystem extends FileSystem {
  /** Counts from 1; with `after`, the call does its work and then fails, as a sync may. */
  arm(kind: FaultKind, nth: number, errno: string): void;
  /** The reported free space; undefined for the actual one. */
  free: number | undefined;
  /** Returns whether the fault has occurred, and disarms it. */
  disarm(): boolean;
}

export function faultyFileSystem(): FaultyFileSystem {
  let armed: { kind: FaultKind; left: number; errno: string } | undefined;
  let struck = false;

  function strike(kind: FaultKind, path: string): void {
    if (armed?.kind !== kind || (armed.left -= 1) > 0) return;
    const { errno } = armed;
    armed = undefined;
    struck = true;
    throw Object.assign(new Error(`${errno}: injected, ${kind} '${path}'`), { code: errno, path });
  }

  const wrap = (file: OpenFile, path: string): OpenFile => ({
    ...file,
    async write(bytes, position) {
      if (armed?.kind === "write" && armed.left === 1 && bytes.length > 1)
        await file.write(bytes.subarray(0, bytes.length >> 1), position);
      strike("write", path);
      await file.write(bytes, position);
    },
    async writeMany(pieces, position) {
      strike("write", path);
      await file.writeMany(pieces, position);
    },
    async sync() {
      strike("sync", path);
      await file.sync();
    },
  });

  return {
    ...nodeFileSystem,
    free: undefined,
    async freeBytes(path) {
      return this.free ?? nodeFileSystem.freeBytes(path);
    },
    async create(path) {
      strike("create", path);
      return wrap(await nodeFileSystem.create(path), path);
    },
    async openToWrite(path) {
      strike("openToWrite", path);
      return wrap(await nodeFileSystem.openToWrite(path), path);
    },
    async rename(from, to) {
      strike("rename", to);
      await nodeFileSystem.rename(from, to);
    },
    async remove(path) {
      strike("remove", path);
      await nodeFileSystem.remove(path);
    },
    async syncDirectory(path) {
      strike("syncDirectory", path);
      await nodeFileSystem.syncDirectory(path);
    },
    arm(kind, nth, errno) {
      armed = { kind, left: nth, errno };
      struck = false;
    },
    disarm() {
      armed = undefined;
      return struck;
    },
  };
}

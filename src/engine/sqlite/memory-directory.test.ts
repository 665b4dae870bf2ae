import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { lockDirectory } from "../../io/directory-lock.js";
import type { FileSystem } from "../../io/file-system.js";
import { nodeFileSystem } from "../../io/node-file-system.js";
import { memoryParent, openMemoryDirectory } from "./memory-directory.js";

let parent: string;
beforeEach(() => {
  // Separate from the hosts of other tests, which remove unlocked directories.
  parent = temporaryDirectory();
});

test("uses a memory file system if the machine has one", async () => {
  expect(await memoryParent(nodeFileSystem)).toBe(existsSync("/dev/shm") ? "/dev/shm" : tmpdir());
});

/** An unlocked directory, as a killed host leaves it. */
async function leave(): Promise<string> {
  const { path, remove } = await openMemoryDirectory(nodeFileSystem, parent);
  await remove();
  await nodeFileSystem.makeDirectory(path);
  writeFileSync(join(path, "lock.sqlite"), "");
  writeFileSync(join(path, "left"), "x");
  return path;
}

test("removes the directory of a killed host at the next start, and keeps those in use", async () => {
  const alive = await openMemoryDirectory(nodeFileSystem, parent);
  const left = await leave();
  const next = await openMemoryDirectory(nodeFileSystem, parent);
  expect(existsSync(left)).toBe(false);
  expect(existsSync(alive.path)).toBe(true);
  expect(existsSync(next.path)).toBe(true);
  for (const directory of [alive, next]) await directory.remove();
  expect(existsSync(alive.path)).toBe(false);
  expect(existsSync(next.path)).toBe(false);
});

test("keeps the directory of a host that restarts while another one removes its old directory", async () => {
  const left = await leave();
  let again: Awaited<ReturnType<typeof openMemoryDirectory>> | undefined;
  const files: FileSystem = {
    ...nodeFileSystem,
    async removeTree(path) {
      if (path === left && again === undefined) {
        again = await openMemoryDirectory(nodeFileSystem, parent);
        writeFileSync(join(again.path, "new"), "x");
      }
      await nodeFileSystem.removeTree(path);
    },
  };
  const other = await openMemoryDirectory(files, parent);
  expect(readdirSync(again?.path ?? "")).toContain("new");
  for (const directory of [again, other]) await directory?.remove();
});

test("starts although another host removes the same directory, or another user owns it", async () => {
  const left = await leave();
  for (const code of ["ENOTEMPTY", "EACCES"]) {
    const refused = Object.assign(new Error(code), { code });
    const own = await openMemoryDirectory(
      {
        ...nodeFileSystem,
        removeTree: (path) =>
          path === left ? Promise.reject(refused) : nodeFileSystem.removeTree(path),
      },
      parent,
    );
    expect(existsSync(left)).toBe(true);
    expect(existsSync(own.path)).toBe(true);
    await own.remove();
  }
  await nodeFileSystem.removeTree(left);
});

test("creates another directory if a starting host locked the first one", async () => {
  const locks: { release(): void }[] = [];
  const made: string[] = [];
  const files: FileSystem = {
    ...nodeFileSystem,
    async makeDirectory(path) {
      await nodeFileSystem.makeDirectory(path);
      made.push(path);
      if (made.length === 1) locks.push(lockDirectory(join(path, "lock.sqlite")));
    },
  };
  const own = await openMemoryDirectory(files, parent);
  expect(own.path).toEqual(made[1]);
  expect(made).toHaveLength(2);
  await own.remove();
  for (const lock of locks) lock.release();
  expect(readdirSync(parent)).toEqual([]);
});

test("closes although a starting host removes the same directory", async () => {
  const removeTree = async () =>
    Promise.reject(Object.assign(new Error("ENOTEMPTY"), { code: "ENOTEMPTY" }));
  const { path, remove } = await openMemoryDirectory({ ...nodeFileSystem, removeTree }, parent);
  await remove();
  const next = await openMemoryDirectory(nodeFileSystem, parent);
  expect(existsSync(path)).toBe(false);
  await next.remove();
});

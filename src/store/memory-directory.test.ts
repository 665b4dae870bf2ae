import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nodeFileSystem } from "../io/node-file-system.js";
import { openMemoryDirectory } from "./memory-directory.js";

const unique = (name: string) => `/nowhere/${process.pid}/${performance.now()}/${name}`;

test("what a host leaves when it is killed goes when the next one starts, on the same data directory or another", async () => {
  const own = unique("own");
  const killed = await openMemoryDirectory(nodeFileSystem, own);
  writeFileSync(join(killed.path, "left"), "x");
  const again = await openMemoryDirectory(nodeFileSystem, own);
  expect(again.path).toBe(killed.path);
  expect(existsSync(join(again.path, "left"))).toBe(false);

  const abandoned = await openMemoryDirectory(nodeFileSystem, unique("abandoned"));
  const { path } = abandoned;
  await abandoned.remove();
  await nodeFileSystem.makeDirectory(path);
  writeFileSync(join(path, "lock.sqlite"), "");
  const alive = await openMemoryDirectory(nodeFileSystem, unique("alive"));
  expect(existsSync(path)).toBe(false);
  expect(existsSync(again.path)).toBe(true);

  for (const directory of [again, alive]) await directory.remove();
  expect([again, alive].filter(({ path: gone }) => existsSync(gone))).toEqual([]);
});

test("what another user's host holds or left keeps nobody from starting", async () => {
  const other = await openMemoryDirectory(nodeFileSystem, unique("other"));
  const denied = Object.assign(new Error("permission denied"), { code: "EACCES" });
  const status = (path: string) => (path.startsWith(`${other.path}/`) ? Promise.reject(denied) : nodeFileSystem.status(path));
  const own = await openMemoryDirectory({ ...nodeFileSystem, status }, unique("own"));
  expect(existsSync(other.path)).toBe(true);
  for (const directory of [own, other]) await directory.remove();
});

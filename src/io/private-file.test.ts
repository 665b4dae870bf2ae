import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { nodeFileSystem } from "./node-file-system.js";
import { createPrivateFile, findAccessibleToOthers } from "./private-file.js";

const modeOf = (path: string) => statSync(path).mode & 0o777;

test("creates files and directories for the current user only, regardless of the umask", async () => {
  const root = temporaryDirectory();
  const before = process.umask(0);
  try {
    await nodeFileSystem.makeDirectory(join(root, "d"));
    await (await nodeFileSystem.create(join(root, "f"))).close();
    createPrivateFile(join(root, "p"));
  } finally {
    process.umask(before);
  }
  expect(modeOf(join(root, "d"))).toBe(0o700);
  expect(modeOf(join(root, "f"))).toBe(0o600);
  expect(modeOf(join(root, "p"))).toBe(0o600);
});

test("finds paths that other users can access", async () => {
  const root = temporaryDirectory();
  mkdirSync(join(root, "d"));
  chmodSync(join(root, "d"), 0o755);
  writeFileSync(join(root, "f"), "");
  chmodSync(join(root, "f"), 0o600);
  expect(
    await findAccessibleToOthers(nodeFileSystem, [
      join(root, "d"),
      join(root, "d"),
      join(root, "f"),
      join(root, "missing"),
    ]),
  ).toEqual([{ path: join(root, "d"), mode: "0755" }]);
});

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { canonicalFiles } from "./canonical-files.js";
import { acquireLease } from "./lease.js";
import { nodeFileSystem } from "./node-file-system.js";
import { systemPlatform } from "./platform.js";

const never = new AbortController().signal;

describe("a directory that becomes a link between the check and the use of a path", () => {
  let root: string;
  const files = canonicalFiles(nodeFileSystem);
  beforeEach(() => {
    root = temporaryDirectory();
    for (const name of ["inside", "outside"]) mkdirSync(join(root, name));
    writeFileSync(join(root, "outside", "f"), "secret");
    renameSync(join(root, "inside"), join(root, "moved"));
    symlinkSync(join(root, "outside"), join(root, "inside"));
  });

  test.each(["openToRead", "openToWrite"] as const)(
    "does not lead to a file outside (%s)",
    async (open) => {
      await expect(files[open](join(root, "inside", "f"))).rejects.toMatchObject({
        reason: "PATH_OUTSIDE_ROOTS",
      });
    },
  );

  test("does not create a file outside", async () => {
    await expect(files.create(join(root, "inside", "new"))).rejects.toMatchObject({
      reason: "PATH_OUTSIDE_ROOTS",
    });
    expect(readdirSync(join(root, "outside"))).toEqual(["f"]);
  });

  test("allows a file that was replaced after it was opened", async () => {
    rmSync(join(root, "inside"));
    mkdirSync(join(root, "inside"));
    writeFileSync(join(root, "inside", "f"), "old");
    const file = await files.openToRead(join(root, "inside", "f"));
    rmSync(join(root, "inside", "f"));
    expect(await file.size()).toBe(3);
    await file.close();
  });
});

describe("a named pipe instead of a file", () => {
  let pipe: string;
  beforeEach(() => {
    pipe = join(temporaryDirectory(), "pipe");
    execFileSync("mkfifo", [pipe]);
  });

  test.each(["openToRead", "openToWrite"] as const)(
    "is rejected without blocking by %s",
    async (open) => {
      await expect(nodeFileSystem[open](pipe)).rejects.toMatchObject({
        reason: "DESTINATION_FAILED",
        message: expect.stringContaining("not a regular file") as string,
      });
    },
  );

  test("is rejected without blocking as a lease", async () => {
    await expect(acquireLease(systemPlatform, pipe, never)).rejects.toMatchObject({
      reason: "DESTINATION_FAILED",
    });
  });
});

test("does not acquire a lease if its path leads to another directory after the wait", async () => {
  const path = join(temporaryDirectory(), "lease");
  const first = await acquireLease(systemPlatform, path, never);
  let moved = false;
  const guard = async () => {
    if (moved) throw new Error("moved");
  };
  const waiting = acquireLease(systemPlatform, path, never, { heartbeatMs: 20, guard });
  moved = true;
  await expect(waiting).rejects.toThrow("moved");
  await first.release();
});

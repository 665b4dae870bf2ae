import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "./temporary-directory.js";

const mounted: string[] = [];
// Before the directories are removed. A test imports the fixture of its hosts first, which closes them before.
afterEach(() => {
  for (const path of mounted.splice(0)) execFileSync("umount", [path]);
});

/** A file system of the given size in MiB, or undefined if this user may not mount one. */
export function smallDisk(mebibytes: number): string | undefined {
  const path = join(temporaryDirectory(), "disk");
  mkdirSync(path);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", path], {
      stdio: "ignore",
    });
  } catch {
    console.warn("SKIPPED: this user cannot mount a small file system");
    return undefined;
  }
  mounted.push(path);
  return path;
}

/** Fills the disk up to the given number of KiB; returns a function that frees the space. */
export function fill(path: string, leaveKiB: number): () => void {
  const file = join(path, "filler");
  const free = Number(execFileSync("df", ["--output=avail", "-k", path]).toString().split("\n")[1]);
  writeFileSync(file, Buffer.alloc(Math.max(0, free - leaveKiB) * 1024));
  return () => rmSync(file);
}

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const made: string[] = [];
const before: (() => Promise<void>)[] = [];

/** Runs the work after the tests of the file, before their directories are removed. */
export function beforeRemoval(work: () => Promise<void>): void {
  before.push(work);
}

/** A new empty directory that is removed after the tests of the file. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), "holdfast-test-"));
  made.push(path);
  return path;
}

afterAll(async () => {
  for (const work of before.splice(0)) await work();
  for (const path of made.splice(0))
    rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

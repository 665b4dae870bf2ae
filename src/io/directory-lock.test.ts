import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { lockDirectory } from "./directory-lock.js";

const sqlite = createRequire(join(process.cwd(), "package.json")).resolve("better-sqlite3");

/** Whether another process can acquire the lock. */
function isFree(path: string): boolean {
  const program = `const db = new (require(${JSON.stringify(sqlite)}))(${JSON.stringify(path)}, { timeout: 0 }); try { db.exec("BEGIN EXCLUSIVE"); console.log("free"); } catch { console.log("held"); }`;
  return execFileSync(process.execPath, ["-e", program]).toString().trim() === "free";
}

test("excludes other processes, also after this process has failed to acquire the lock again", () => {
  const path = join(temporaryDirectory(), "lock.sqlite");
  const lock = lockDirectory(path);
  expect(isFree(path)).toBe(false);
  expect(() => lockDirectory(path)).toThrow(
    expect.objectContaining({ reason: "DIRECTORY_IN_USE" }) as Error,
  );
  expect(isFree(path)).toBe(false);
  lock.release();
  expect(isFree(path)).toBe(true);
});

import { beginsZip } from "../../container/zip-check.js";
import { runZip } from "../../container/zip-call.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";

/**
 * Throws BACKUP_DAMAGED unless the file may be published: it must match the announced digest or,
 * without one, must not be a damaged ZIP.
 */
export type UploadCheck = (
  path: string,
  sha256: string | undefined,
  signal: AbortSignal,
) => Promise<void>;

/** Creates a check that runs at most limits.fileChecks at a time; others wait in order. */
export function createUploadCheck({ files }: Pick<Platform, "files">): UploadCheck {
  let running = 0;
  const waiting: (() => void)[] = [];

  async function acquire(signal: AbortSignal): Promise<void> {
    if (running < limits.fileChecks) {
      running += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const begin = () => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const abort = () => {
        waiting.splice(waiting.indexOf(begin), 1);
        reject(signal.reason as Error);
      };
      waiting.push(begin);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  function release(): void {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }

  async function startsAsZip(path: string): Promise<boolean> {
    const file = await files.openToRead(path);
    try {
      const begin = Buffer.alloc(4);
      return beginsZip(begin.subarray(0, await file.read(begin, 0)));
    } finally {
      await file.close();
    }
  }

  return async (path, sha256, signal) => {
    if (sha256 === undefined && !(await startsAsZip(path))) return;
    await acquire(signal);
    try {
      await runZip({ kind: "check", path, ...(sha256 !== undefined && { sha256 }) }, signal);
    } finally {
      release();
    }
  };
}

import { beginsZip } from "../../container/zip-check.js";
import { runZip } from "../../container/zip-call.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";

/** Throws BACKUP_DAMAGED unless a file may take the place of another: that of the digest announced, else a ZIP that is whole, or no ZIP. */
export type UploadCheck = (
  path: string,
  sha256: string | undefined,
  signal: AbortSignal,
) => Promise<void>;

/** So many at a time; the others wait, first come first served. */
export function createUploadCheck({ files }: Pick<Platform, "files">): UploadCheck {
  let running = 0;
  const waiting: (() => void)[] = [];

  async function enter(signal: AbortSignal): Promise<void> {
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

  function leave(): void {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }

  async function beginsAsZip(path: string): Promise<boolean> {
    const file = await files.openToRead(path);
    try {
      const begin = Buffer.alloc(4);
      return beginsZip(begin.subarray(0, await file.read(begin, 0)));
    } finally {
      await file.close();
    }
  }

  return async (path, sha256, signal) => {
    if (sha256 === undefined && !(await beginsAsZip(path))) return;
    await enter(signal);
    try {
      await runZip({ kind: "check", path, ...(sha256 !== undefined && { sha256 }) }, signal);
    } finally {
      leave();
    }
  };
}

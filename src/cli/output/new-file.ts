import { open } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { HostError } from "../../errors.js";
import { publishFile, temporaryName } from "../../io/durable-file.js";
import { systemSeams } from "../../io/seams.js";

/** Something that takes bytes one after the other, and waits where they come too fast. */
export interface Sink {
  write(data: Uint8Array): Promise<void>;
}

/**
 * A file that gets its name when all is in it: until then, and where the work fails, what was there before stays. Errors:
 * DESTINATION_MISSING, DESTINATION_FULL, DESTINATION_FAILED.
 */
export async function writeNewFile<T>(given: string, work: (sink: Sink) => Promise<T>): Promise<T> {
  const path = resolve(given);
  const temporary = join(dirname(path), temporaryName(systemSeams));
  const file = await open(temporary, "wx").catch((error: unknown) => {
    throw fileError(path, error);
  });
  let isPublished = false;
  try {
    const result = await work({
      async write(data) {
        await file.appendFile(data).catch((error: unknown) => {
          throw fileError(path, error);
        });
      },
    });
    await file.close();
    await publishFile(systemSeams, temporary, path).catch((error: unknown) => {
      throw fileError(path, error);
    });
    isPublished = true;
    return result;
  } finally {
    if (!isPublished) {
      await file.close().catch(() => {});
      await systemSeams.files.remove(temporary).catch(() => {});
    }
  }
}

function fileError(path: string, error: unknown): HostError {
  const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
  if (code === "ENOENT" || code === "ENOTDIR") return new HostError("DESTINATION_MISSING", `The directory of ${path} is not there. Make it, or name another file with -o.`, { cause: error });
  if (code === "ENOSPC" || code === "EDQUOT") return new HostError("DESTINATION_FULL", `No space is left for ${path}. What was there before is as it was. Free space, or name another file with -o.`, { cause: error });
  return new HostError("DESTINATION_FAILED", `The file ${path} cannot be written (${code}). What was there before is as it was.`, { cause: error });
}

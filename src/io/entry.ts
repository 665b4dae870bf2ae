import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The programs that run in a thread or process of their own, by their path below src/. The build reads this list. */
export type EntryName =
  | "engine/sqlite/writer-worker"
  | "engine/sqlite/reader-worker"
  | "engine/sqlite/trace-buffer-worker"
  | "engine/sqlite/copy-worker"
  | "segment/check-worker"
  | "segment/segment-process"
  | "engine/sqlite/build-process"
  | "container/zip-process"
  | "service/documents/body-worker";

/** Where the package is: above the sources, and above the build, whatever file of the build holds this. */
function packageDirectory(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, "package.json")) && directory !== dirname(directory))
    directory = dirname(directory);
  return directory;
}

let builtFiles: string | undefined;

/**
 * The compiled file of an entry. Threads and processes load files themselves, past any loader that the caller runs
 * under: from sources (tests, benchmarks) they come from the build, which must be current.
 */
export function entryPath(name: EntryName): string {
  builtFiles ??= join(packageDirectory(), "dist", "src");
  return join(builtFiles, `${name}.cjs`);
}

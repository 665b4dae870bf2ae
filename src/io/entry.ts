import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Entry points of threads and child processes, by their path below src/. The build reads this list.
 */
export type EntryName =
  | "engine/sqlite/writer-worker"
  | "engine/sqlite/reader-worker"
  | "engine/sqlite/trace-buffer-worker"
  | "engine/sqlite/copy-worker"
  | "engine/filter/filter-worker"
  | "engine/postgres/copy-worker"
  | "engine/postgres/build-process"
  | "encoding/encoding-process"
  | "segment/check-worker"
  | "segment/segment-process"
  | "engine/sqlite/build-process"
  | "container/zip-process"
  | "service/documents/body-worker";

/** Returns the directory of the package, which contains both the sources and the build. */
function packageDirectory(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, "package.json")) && directory !== dirname(directory))
    directory = dirname(directory);
  return directory;
}

let builtFiles: string | undefined;

/**
 * Returns the compiled file of an entry point. Threads and child processes do not use the loader of
 * the caller, so tests and benchmarks that run from sources need a current build.
 */
export function entryPath(name: EntryName): string {
  builtFiles ??= join(packageDirectory(), "dist", "src");
  return join(builtFiles, `${name}.cjs`);
}

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The programs that run in a thread or process of their own, by their path below src/. */
export type EntryName =
  | "engine/sqlite/writer-worker"
  | "engine/sqlite/reader-worker"
  | "engine/sqlite/ring-worker"
  | "engine/sqlite/copy-worker"
  | "engine/sqlite/check-worker"
  | "engine/sqlite/build-process"
  | "container/zip-process"
  | "service/body-worker";

/**
 * The compiled file of an entry. Threads and processes load files themselves, past any loader that the caller runs
 * under: from sources (tests, benchmarks) they come from the build, which must be current.
 */
export function entryPath(name: EntryName): string {
  const here = fileURLToPath(import.meta.url);
  const sources = dirname(dirname(here));
  const built = here.endsWith(".ts") ? join(dirname(sources), "dist", "src") : sources;
  return join(built, `${name}.js`);
}

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { findProgram, run } from "../process-tools.js";
import { timed, type Peer } from "./store.js";

/** restic, which encrypts and compresses: of an export of the last full backup of Holdfast, each time into a new repository. */
export function restic(): Peer[] {
  const program = findProgram("restic");
  if (program === undefined) {
    process.stderr.write("SKIPPED: restic is not installed.\n");
    return [];
  }
  return [
    {
      name: "restic",
      async start(directory, ours) {
        mkdirSync(directory);
        const file = join(directory, "documents.ndjson");
        let exported: Promise<void> | undefined;
        let repositories = 0;
        return {
          async fullBackup() {
            await (exported ??= ours?.exportBackup?.(file));
            const repository = join(directory, `repository-${(repositories += 1)}`);
            const env = { RESTIC_PASSWORD: "bench", RESTIC_CACHE_DIR: join(directory, "cache") };
            await run(program, ["-r", repository, "init"], env);
            return timed(() => run(program, ["-r", repository, "backup", file], env));
          },
          async stop() {},
        };
      },
    },
  ];
}

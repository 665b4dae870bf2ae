import { runInChild, type ChildOptions } from "../../io/child-process.js";
import type { BuildAnswer, BuildCall, BuildProgress } from "./build-process.js";

/** The sorter of CREATE INDEX spills into files: they go where the index goes, not into a small /tmp. */
export function runBuild(
  call: BuildCall,
  temporaryDirectory: string,
  options: ChildOptions<BuildProgress>,
): Promise<BuildAnswer> {
  return runInChild("engine/sqlite/build-process", call, {
    ...options,
    environment: { SQLITE_TMPDIR: temporaryDirectory },
  });
}

import { dirname } from "node:path";
import { runInChild, type ChildOptions } from "../../io/child-process.js";
import type { BuildRequest, BuildResult, IndexCheck } from "../engine.js";
import type { BuildAnswer, BuildCall, BuildProgress } from "./build-process.js";

/** Builds an index in an existing empty directory, in a process of its own. */
export async function buildInProcess(
  directory: string,
  { signal, onProgress, ...task }: BuildRequest,
): Promise<BuildResult> {
  return (await run({ kind: "build", task: { ...task, directory } }, dirname(directory), {
    signal,
    onProgress: ({ stage, rows }) => onProgress?.(stage, rows),
  })) as BuildResult;
}

/** Checks the index at a path while it is in use, in a process of its own. */
export async function checkInProcess(
  path: string,
  signal: AbortSignal,
  onProgress?: (rows: number) => void,
): Promise<IndexCheck> {
  return (await run({ kind: "check-index", path }, dirname(path), {
    signal,
    onProgress: ({ rows }) => onProgress?.(rows),
  })) as IndexCheck;
}

/** The sorter of CREATE INDEX spills into files: they belong beside the index, not into a small /tmp. */
function run(
  call: BuildCall,
  temporaryDirectory: string,
  options: ChildOptions<BuildProgress>,
): Promise<BuildAnswer> {
  return runInChild("engine/sqlite/build-process", call, {
    ...options,
    environment: { SQLITE_TMPDIR: temporaryDirectory },
  });
}

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChainContent, LogAround, SegmentSource } from "../engine/engine.js";
import { runInChild } from "../io/child-process.js";
import { temporaryPrefix } from "../io/durable-file.js";
import { limits } from "../limits.js";
import { countRows } from "./chain-check.js";
import type { Compared, CompareTask, SegmentAnswer, SegmentCall } from "./segment-process.js";
import type { Sampled } from "./sample.js";

/**
 * Verifies the segments of a backup completely: digests, the checksum and limits of each row, and
 * that the versions of each link increase with time. Returns the counts and times that a restore
 * would give. `onRows` receives the number of rows checked so far. Throws BACKUP_DAMAGED.
 */
export async function checkSegments(
  segments: SegmentSource[],
  temporaryDirectory: string,
  signal: AbortSignal,
  onRows?: (rows: number) => void,
): Promise<ChainContent> {
  const hasFiles = countRows(segments) > limits.chainCheckRows;
  // A process that is killed leaves its files behind.
  const directory = hasFiles
    ? await mkdtemp(join(temporaryDirectory, `${temporaryPrefix}check-`))
    : temporaryDirectory;
  try {
    const call = { kind: "check", segments, temporaryDirectory: directory } as const;
    return (await run(call, signal, onRows, directory)) as ChainContent;
  } finally {
    if (hasFiles) await rm(directory, { recursive: true, force: true }).catch(() => {});
  }
}

/**
 * Verifies the checksums of about `percent` of the rows, in random runs spread over each segment.
 * Does not verify digests. Throws BACKUP_DAMAGED.
 */
export async function sampleSegments(
  segments: SegmentSource[],
  percent: number,
  signal: AbortSignal,
  onRows?: (rows: number) => void,
): Promise<Sampled> {
  return (await run({ kind: "sample", segments, percent }, signal, onRows)) as Sampled;
}

/**
 * Returns up to `count` versions before and after a point in time, from the segments of a backup.
 * Does not verify digests.
 */
export async function segmentsAround(
  segments: SegmentSource[],
  timeMicros: number,
  count: number,
  signal: AbortSignal,
): Promise<LogAround> {
  return (await run({ kind: "around", segments, timeMicros, count }, signal)) as LogAround;
}

/**
 * Verifies the segments of two backups completely, as `checkSegments` does, and compares them. The
 * result has segments in the directory of the task. Throws BACKUP_DAMAGED.
 */
export async function compareSegments(
  task: CompareTask,
  signal: AbortSignal,
  onRows?: (rows: number) => void,
): Promise<Compared> {
  return (await run({ kind: "compare", ...task }, signal, onRows, task.directory)) as Compared;
}

function run(
  call: SegmentCall,
  signal: AbortSignal,
  onProgress?: (rows: number) => void,
  temporaryDirectory = tmpdir(),
): Promise<SegmentAnswer> {
  return runInChild("segment/segment-process", call, {
    signal,
    environment: { SQLITE_TMPDIR: temporaryDirectory },
    ...(onProgress && { onProgress }),
  });
}

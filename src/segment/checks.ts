import { tmpdir } from "node:os";
import type { ChainContent, LogAround, Sampled, SegmentSource } from "../engine/engine.js";
import { runInChild } from "../io/child-process.js";
import type { SegmentAnswer, SegmentCall } from "./segment-process.js";

/**
 * Checks everything that a restore demands of the segments of a backup: digests, rows with their
 * checksums and limits, and that the versions of each link grow with time and none is there twice.
 * Returns what a restore would give. BACKUP_DAMAGED. `onRows` receives the number of rows checked
 * so far.
 */
export async function checkSegments(
  segments: SegmentSource[],
  signal: AbortSignal,
  onRows?: (rows: number) => void,
): Promise<ChainContent> {
  return (await run({ kind: "check", segments }, signal, onRows)) as ChainContent;
}

/**
 * Checks the checksums of about `percent` of the rows, in runs spread over the time of each
 * segment, different ones each time; no digests. BACKUP_DAMAGED.
 */
export async function sampleSegments(
  segments: SegmentSource[],
  percent: number,
  signal: AbortSignal,
  onRows?: (rows: number) => void,
): Promise<Sampled> {
  return (await run({ kind: "sample", segments, percent }, signal, onRows)) as Sampled;
}

/** At most `count` versions on either side of a time, in the segments of one backup. Digests are not checked. */
export async function segmentsAround(
  segments: SegmentSource[],
  timeMicros: number,
  count: number,
  signal: AbortSignal,
): Promise<LogAround> {
  return (await run({ kind: "around", segments, timeMicros, count }, signal)) as LogAround;
}

function run(
  call: SegmentCall,
  signal: AbortSignal,
  onProgress?: (rows: number) => void,
): Promise<SegmentAnswer> {
  return runInChild("segment/segment-process", call, {
    signal,
    environment: { SQLITE_TMPDIR: tmpdir() },
    ...(onProgress && { onProgress }),
  });
}

import type { ChainContent, LogAround, SegmentSource } from "../engine/engine.js";
import { serveChild } from "../io/child-process.js";
import { combineAround, logAround } from "./around.js";
import { checkChain } from "./chain-check.js";
import { besideRowChecks, startRowChecks, type RowCheckTask } from "./check-threads.js";
import {
  compareChains,
  writeDiffering,
  type ChainComparison,
  type ComparedChain,
  type ComparedDocuments,
} from "./compare-chains.js";
import { sampleRows, type Sampled } from "./sample.js";
import { rowsWorthSharing } from "./check-rows.js";
import { checkDigests, readSegment } from "./segment-file.js";

/**
 * Work on segments that come from outside. A child process does it, so that a crash or its memory
 * does not affect the host.
 */
export type SegmentCall =
  | { kind: "check"; segments: SegmentSource[]; temporaryDirectory: string }
  | { kind: "sample"; segments: SegmentSource[]; percent: number }
  | { kind: "around"; segments: SegmentSource[]; timeMicros: number; count: number }
  | ({ kind: "compare" } & CompareTask);
/** The result of a SegmentCall. */
export type SegmentAnswer = ChainContent | Sampled | LogAround | Compared;

/** Two chains to check and to compare. */
export interface CompareTask {
  chains: [ComparedChain, ComparedChain];
  wanted: ComparedDocuments;
  /** For temporary files and the result. */
  directory: string;
}

/** A comparison, and the versions of each side that differ, without their bodies, as a segment. */
export interface Compared extends ChainComparison {
  differing: [SegmentSource, SegmentSource];
}

type ReportRows = (rows: number) => void;

/** Checks digests, then rows in one or two worker threads, while this thread checks the chain. */
async function checkAll(
  segments: SegmentSource[],
  temporaryDirectory: string,
  report: (rows: number) => void,
): Promise<ChainContent> {
  const tasks = rowTasks(segments, segments.some(isLarge), report);
  const rows = await startRowChecks(tasks, () => checkDigests(segments));
  return besideRowChecks(rows, () => checkChain(segments, temporaryDirectory, () => {}));
}

const isLarge = ({ records }: SegmentSource) => records >= rowsWorthSharing;

/** The rows of segments, for one worker thread or for two. */
function rowTasks(
  segments: SegmentSource[],
  inHalves: boolean,
  report: ReportRows,
): RowCheckTask[] {
  if (!inHalves) return [{ segments, report }];
  const rows = { first: 0, second: 0 };
  return (["first", "second"] as const).map((half) => ({
    segments,
    half,
    report: (count) => {
      rows[half] = count;
      report(rows.first + rows.second);
    },
  }));
}

/**
 * Checks both chains as `checkAll` does, a segment of both once, and compares them. The digests of
 * the second are computed while a thread checks the rows of the first.
 */
async function compare(
  { chains, wanted, directory }: CompareTask,
  report: ReportRows,
): Promise<Compared> {
  const [first, second] = chains.map(({ segments }) => segments) as [
    SegmentSource[],
    SegmentSource[],
  ];
  const known = new Set(first.map(contentOf));
  const others = second.filter((segment) => !known.has(contentOf(segment)));
  const counts = [0, 0];
  const sum = (side: number) => (rows: number) => {
    counts[side] = rows;
    report(counts.reduce((all, one) => all + one, 0));
  };
  const tasks = rowTasks(first, first.some(isLarge) && !others.some(isLarge), sum(0));
  const rows = await startRowChecks(tasks, () => checkDigests(first));
  const compared = await besideRowChecks(rows, async () => {
    const checked = new Set(first.map(fileOf));
    const otherTasks = others.length === 0 ? [] : rowTasks(others, false, sum(1));
    const otherRows = await startRowChecks(otherTasks, () =>
      checkDigests(second.filter((segment) => !checked.has(fileOf(segment)))),
    );
    return besideRowChecks(otherRows, () => compareChains(chains, wanted, directory));
  });
  return {
    ...compared,
    differing: [writeDiffering(chains[0], 0, directory), writeDiffering(chains[1], 1, directory)],
  };
}

/** What the digest of a segment is checked against. */
const fileOf = ({ path, sha256, sizeBytes }: SegmentSource) =>
  JSON.stringify([path, sha256, sizeBytes]);

/** What the rows of a segment are checked against: segments that agree in it need one check. */
const contentOf = ({ sha256, firstMicros, lastMicros, records, prunes }: SegmentSource) =>
  JSON.stringify([sha256, firstMicros, lastMicros, records, prunes]);

function sample(segments: SegmentSource[], percent: number, report: ReportRows): Sampled {
  const sum = { records: 0, bytes: 0 };
  for (const segment of segments) {
    const { records, bytes } = sampleRows(segment, percent);
    sum.records += records;
    sum.bytes += bytes;
    report(sum.records);
  }
  return sum;
}

function around(segments: SegmentSource[], timeMicros: number, count: number): LogAround {
  return combineAround(
    segments.map((segment) => readSegment(segment, (db) => logAround(db, timeMicros, count))),
    count,
  );
}

serveChild<SegmentCall, SegmentAnswer, number>("Reading the backup", async (call, report) => {
  switch (call.kind) {
    case "check":
      return checkAll(call.segments, call.temporaryDirectory, report);
    case "sample":
      return sample(call.segments, call.percent, report);
    case "around":
      return around(call.segments, call.timeMicros, call.count);
    case "compare":
      return compare(call, report);
  }
});

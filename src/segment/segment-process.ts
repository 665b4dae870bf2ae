import type { ChainContent, LogAround, SegmentSource } from "../engine/engine.js";
import { serveChild } from "../io/child-process.js";
import { combineAround, logAround } from "./around.js";
import { checkChain } from "./chain-check.js";
import { besideRowChecks, startRowCheck, type RowCheck } from "./check-threads.js";
import {
  compareChains,
  writeDiffering,
  type ChainComparison,
  type ComparedChain,
  type ComparedDocuments,
} from "./compare-chains.js";
import { sampleRows, type Sampled } from "./sample.js";
import { rowsWorthSharing, type Half } from "./check-rows.js";
import { checkDigest, readSegment } from "./segment-file.js";

/**
 * Work on segments that come from outside. A child process does it, so that a crash or its memory
 * does not affect the host.
 */
export type SegmentCall =
  | { kind: "check"; segments: SegmentSource[] }
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
  report: (rows: number) => void,
): Promise<ChainContent> {
  for (const segment of segments) checkDigest(segment, () => {});
  const rows = await startRows(segments, segments.some(isLarge), report);
  return besideRowChecks(rows, () => checkChain(segments, () => {}));
}

const isLarge = ({ records }: SegmentSource) => records >= rowsWorthSharing;

/** Starts to check rows in one or two worker threads. */
async function startRows(
  segments: SegmentSource[],
  inHalves: boolean,
  report: ReportRows,
): Promise<RowCheck[]> {
  const rows = { first: 0, second: 0 };
  const share = (half: Half) =>
    startRowCheck({ segments, half }, (count) =>
      report((rows[half] = count) + rows[half === "first" ? "second" : "first"]),
    );
  return Promise.all(
    inHalves ? [share("first"), share("second")] : [startRowCheck({ segments }, report)],
  );
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
  for (const segment of first) checkDigest(segment, () => {});
  const rows = await startRows(first, first.some(isLarge) && !others.some(isLarge), sum(0));
  const compared = await besideRowChecks(rows, async () => {
    const checked = new Set(first.map(fileOf));
    for (const segment of second) if (!checked.has(fileOf(segment))) checkDigest(segment, () => {});
    const otherRows = others.length === 0 ? [] : await startRows(others, false, sum(1));
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
      return checkAll(call.segments, report);
    case "sample":
      return sample(call.segments, call.percent, report);
    case "around":
      return around(call.segments, call.timeMicros, call.count);
    case "compare":
      return compare(call, report);
  }
});

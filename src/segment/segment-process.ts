import type { ChainContent, LogAround, SegmentSource } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { serveChild } from "../io/child-process.js";
import { combineAround, logAround } from "./around.js";
import { checkChain } from "./chain-check.js";
import { checkRowsInThread } from "./check-threads.js";
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
  | { kind: "around"; segments: SegmentSource[]; timeMicros: number; count: number };
/** The result of a SegmentCall. */
export type SegmentAnswer = ChainContent | Sampled | LogAround;

type ReportRows = (rows: number) => void;

/** Checks digests, then rows in one or two worker threads, while this thread checks the chain. */
async function checkAll(
  segments: SegmentSource[],
  report: (rows: number) => void,
): Promise<ChainContent> {
  for (const segment of segments) checkDigest(segment, () => {});
  const rows = { first: 0, second: 0 };
  const share = (half: Half) =>
    checkRowsInThread({ segments, half }, (count) =>
      report((rows[half] = count) + rows[half === "first" ? "second" : "first"]),
    );
  const rowsChecked = segments.every(({ records }) => records < rowsWorthSharing)
    ? [checkRowsInThread({ segments }, report)]
    : [share("first"), share("second")];
  const settled = Promise.allSettled(rowsChecked);
  // The threads must have started before this thread blocks.
  await new Promise((next) => setImmediate(next));
  const chain = await Promise.resolve()
    .then(() => checkChain(segments, () => {}))
    .catch((error: unknown) => HostError.from(error));
  // The error of a row is more specific than that of the chain.
  for (const half of await settled) if (half.status === "rejected") throw half.reason;
  if (chain instanceof HostError) throw chain;
  return chain;
}

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
  }
});

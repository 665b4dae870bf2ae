import { HostError } from "../../errors.js";
import { serveChild } from "../../io/child-process.js";
import type { BuildResult, NearLog, Sampled, SegmentSource } from "../engine.js";
import { buildIndex, type BuildStage, type BuildTask } from "./build.js";
import { joinNear, nearLog } from "./near.js";
import { sampleRows } from "./sample.js";
import type { CheckCall } from "./check-worker.js";
import { checkDigest, readSegment, rowsWorthSharing, type Half } from "./segment.js";
import { fromSqlite } from "./sqlite-error.js";
import { startWorker } from "../../io/worker-client.js";

/** Work on segments from outside. */
export type BuildCall =
  | { kind: "build"; task: BuildTask }
  | { kind: "check"; segments: SegmentSource[] }
  | { kind: "sample"; segments: SegmentSource[]; percent: number }
  | { kind: "near"; segments: SegmentSource[]; timeMicros: number; count: number };
export type BuildAnswer = BuildResult | Sampled | NearLog | null;
export interface BuildProgress {
  stage: BuildStage;
  rows: number;
}
type ReportProgress = (progress: BuildProgress) => void;

async function check(call: CheckCall, report: (rows: number) => void): Promise<void> {
  const lost = () => new HostError("INTERNAL", "The thread that checks segments ended before it was done.");
  const checker = await startWorker<CheckCall, undefined>("engine/sqlite/check-worker", undefined, lost);
  try {
    await checker.call(call, report);
  } finally {
    await checker.close();
  }
}

/** Two threads share what is worth it. */
async function checkAll(segments: SegmentSource[], report: (rows: number) => void): Promise<void> {
  for (const segment of segments) checkDigest(segment, () => {});
  if (segments.every(({ records }) => records < rowsWorthSharing)) return check({ segments }, report);
  const rows = { first: 0, second: 0 };
  const share = (half: Half) => check({ segments, half }, (count) => report((rows[half] = count) + rows[half === "first" ? "second" : "first"]));
  const halves = await Promise.allSettled([share("first"), share("second")]);
  for (const half of halves) if (half.status === "rejected") throw half.reason;
}

async function build(task: BuildTask, report: ReportProgress): Promise<BuildResult> {
  for (const segment of task.segments) checkDigest(segment, () => {});
  // The rows are checked in a thread while this one loads them; both must succeed.
  const checked = check({ segments: task.segments }, () => {}).then(
    () => undefined,
    (error: unknown) => HostError.from(error),
  );
  await new Promise((next) => setImmediate(next));
  const built = await Promise.resolve()
    .then(() => buildIndex(task, (stage, rows) => report({ stage, rows })))
    .catch((error: unknown) => fromSqlite(error, `Building the index in ${task.directory}`));
  const problem = await checked;
  if (problem) throw problem;
  if (built instanceof HostError) throw built;
  return built;
}

function sample(segments: SegmentSource[], percent: number, report: ReportProgress): Sampled {
  const sum = { records: 0, bytes: 0 };
  for (const segment of segments) {
    const { records, bytes } = sampleRows(segment, percent);
    sum.records += records;
    sum.bytes += bytes;
    report({ stage: "checking", rows: sum.records });
  }
  return sum;
}

function near(segments: SegmentSource[], timeMicros: number, count: number): NearLog {
  return joinNear(segments.map((segment) => readSegment(segment, (db) => nearLog(db, timeMicros, count))), count);
}

serveChild<BuildCall, BuildAnswer, BuildProgress>("Reading the backup", async (call, report) => {
  switch (call.kind) {
    case "build":
      return build(call.task, report);
    case "check":
      await checkAll(call.segments, (rows) => report({ stage: "checking", rows }));
      return null;
    case "sample":
      return sample(call.segments, call.percent, report);
    case "near":
      return near(call.segments, call.timeMicros, call.count);
  }
});

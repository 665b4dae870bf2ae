import { constants, setPriority } from "node:os";
import Database from "better-sqlite3";
import { HostError } from "../../errors.js";
import { serveChild } from "../../io/child-process.js";
import type {
  BuildResult,
  ChainContent,
  IndexCheck,
  LogAround,
  Sampled,
  SegmentSource,
} from "../engine.js";
import { buildIndex, type BuildStage, type BuildTask } from "./build.js";
import { checkIndex } from "./check-index.js";
import { checkChain } from "./chain-check.js";
import { joinAround, logAround } from "./around.js";
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
  | { kind: "check-index"; path: string }
  | { kind: "around"; segments: SegmentSource[]; timeMicros: number; count: number };
export type BuildAnswer = BuildResult | ChainContent | IndexCheck | Sampled | LogAround;
export interface BuildProgress {
  stage: BuildStage;
  rows: number;
}
type ReportProgress = (progress: BuildProgress) => void;

async function check(call: CheckCall, report: (rows: number) => void): Promise<void> {
  const lost = () =>
    new HostError("INTERNAL", "The thread that checks segments ended before it was done.");
  const checker = await startWorker<CheckCall, undefined>(
    "engine/sqlite/check-worker",
    undefined,
    lost,
  );
  try {
    await checker.call(call, report);
  } finally {
    await checker.close();
  }
}

/** Two threads share the rows where it is worth it, while this one looks at what they promise together. */
async function checkAll(
  segments: SegmentSource[],
  report: (rows: number) => void,
): Promise<ChainContent> {
  for (const segment of segments) checkDigest(segment, () => {});
  const rows = { first: 0, second: 0 };
  const share = (half: Half) =>
    check({ segments, half }, (count) =>
      report((rows[half] = count) + rows[half === "first" ? "second" : "first"]),
    );
  const rowsChecked = segments.every(({ records }) => records < rowsWorthSharing)
    ? [check({ segments }, report)]
    : [share("first"), share("second")];
  const settled = Promise.allSettled(rowsChecked);
  // The threads have to be under way before this one is busy.
  await new Promise((next) => setImmediate(next));
  const chain = await Promise.resolve()
    .then(() => checkChain(segments, () => {}))
    .catch((error: unknown) => HostError.from(error));
  // What is wrong with a row says more than what is wrong with all of them.
  for (const half of await settled) if (half.status === "rejected") throw half.reason;
  if (chain instanceof HostError) throw chain;
  return chain;
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
    .catch((error: unknown) => buildError(error, task.directory));
  const problem = await checked;
  if (problem) throw problem;
  if (built instanceof HostError) throw built;
  return built;
}

/** The key of the log is unique: a backup that breaks it is no work of a host. */
function buildError(thrown: unknown, directory: string): HostError {
  if (thrown instanceof Database.SqliteError && thrown.code.startsWith("SQLITE_CONSTRAINT")) {
    return new HostError(
      "BACKUP_DAMAGED",
      "The backup holds two rows for one version of a document. Use another backup.",
      { cause: thrown },
    );
  }
  return fromSqlite(thrown, `Building the index in ${directory}`);
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

/** Beside a host that serves: it gives way to it. */
function checkIndexAt(path: string, report: ReportProgress): IndexCheck {
  setPriority(constants.priority.PRIORITY_LOW);
  try {
    return checkIndex(path, (rows) => report({ stage: "checking", rows }));
  } catch (thrown) {
    throw fromSqlite(thrown, `Checking the index ${path}`);
  }
}

function around(segments: SegmentSource[], timeMicros: number, count: number): LogAround {
  return joinAround(
    segments.map((segment) => readSegment(segment, (db) => logAround(db, timeMicros, count))),
    count,
  );
}

serveChild<BuildCall, BuildAnswer, BuildProgress>("Reading the backup", async (call, report) => {
  switch (call.kind) {
    case "build":
      return build(call.task, report);
    case "check":
      return checkAll(call.segments, (rows) => report({ stage: "checking", rows }));
    case "sample":
      return sample(call.segments, call.percent, report);
    case "check-index":
      return checkIndexAt(call.path, report);
    case "around":
      return around(call.segments, call.timeMicros, call.count);
  }
});

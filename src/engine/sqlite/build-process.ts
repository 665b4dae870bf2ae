import { HostError } from "../../errors.js";
import { serveChild } from "../../io/child-process.js";
import type { BuildResult, SegmentSource } from "../engine.js";
import { buildIndex, type BuildStage, type BuildTask } from "./build.js";
import { checkDigest } from "./segment.js";
import { fromSqlite } from "./sqlite-error.js";
import { startWorker } from "./worker-client.js";

/** Work on segments from outside. */
export type BuildCall = { kind: "build"; task: BuildTask } | { kind: "check"; segments: SegmentSource[] };
export interface BuildProgress {
  stage: BuildStage;
  rows: number;
}

async function check(segments: SegmentSource[], report: (rows: number) => void): Promise<void> {
  const lost = () => new HostError("INTERNAL", "The thread that checks segments ended before it was done.");
  const checker = await startWorker<SegmentSource[], undefined>("engine/sqlite/check-worker", undefined, lost);
  try {
    await checker.call(segments, report);
  } finally {
    await checker.close();
  }
}

serveChild<BuildCall, BuildResult | null, BuildProgress>("Reading the backup", async (call, report) => {
  const segments = call.kind === "build" ? call.task.segments : call.segments;
  for (const segment of segments) checkDigest(segment, () => {});
  if (call.kind === "check") {
    await check(segments, (rows) => report({ stage: "checking", rows }));
    return null;
  }
  // The rows are checked in a thread while this one loads them; both must succeed.
  const checked = check(segments, () => {}).then(
    () => undefined,
    (error: unknown) => HostError.from(error),
  );
  await new Promise((next) => setImmediate(next));
  const built = await Promise.resolve()
    .then(() => buildIndex(call.task, (stage, rows) => report({ stage, rows })))
    .catch((error: unknown) => fromSqlite(error, `Building the index in ${call.task.directory}`));
  const problem = await checked;
  if (problem) throw problem;
  if (built instanceof HostError) throw built;
  return built;
});

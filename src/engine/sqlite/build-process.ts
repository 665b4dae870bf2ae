import { HostError, type HostErrorRecord } from "../../errors.js";
import type { BuildResult, SegmentSource } from "../engine.js";
import { buildIndex, type BuildTask } from "./build.js";
import { checkDigest } from "./segment.js";
import { fromSqlite } from "./sqlite-error.js";
import { startWorker } from "./worker-client.js";

/** Work on files from outside, in a process of its own: it can be killed at any moment, and it can harm nobody. */
export type BuildCall = { kind: "build"; task: BuildTask } | { kind: "check"; segments: SegmentSource[] };
export type BuildReply =
  | { progress: { stage: string; rows: number } }
  | { result: BuildResult | null }
  | { error: HostErrorRecord };

const send = (reply: BuildReply) => process.send?.(reply);

async function check(segments: SegmentSource[], report: (rows: number) => void): Promise<void> {
  const lost = () => new HostError("INTERNAL", "The thread that checks segments ended before it was done.");
  const checker = await startWorker<SegmentSource[], undefined>("engine/sqlite/check-worker", undefined, lost);
  try {
    await checker.call(segments, report);
  } finally {
    await checker.close();
  }
}

async function run(call: BuildCall): Promise<BuildResult | null> {
  const segments = call.kind === "build" ? call.task.segments : call.segments;
  for (const segment of segments) checkDigest(segment, () => {});
  if (call.kind === "check") {
    await check(segments, (rows) => send({ progress: { stage: "checking", rows } }));
    return null;
  }
  // The rows are checked in a thread while this one loads them; both must succeed.
  const checked = check(segments, () => {}).then(
    () => undefined,
    (error: unknown) => HostError.from(error),
  );
  await new Promise((next) => setImmediate(next));
  const built = await Promise.resolve()
    .then(() => buildIndex(call.task, (stage, rows) => send({ progress: { stage, rows } })))
    .catch((error: unknown) => fromSqlite(error, `Building the index in ${call.task.directory}`));
  const problem = await checked;
  if (problem) throw problem;
  if (built instanceof HostError) throw built;
  return built;
}

process.once("message", (call: BuildCall) => {
  run(call).then(
    (result) => process.send?.({ result } satisfies BuildReply, () => process.disconnect()),
    (error: unknown) => process.send?.({ error: HostError.from(error).toRecord() } satisfies BuildReply, () => process.disconnect()),
  );
});

import type { SegmentSource } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { startWorker, type WorkerClient } from "../io/worker-client.js";
import { limits } from "../limits.js";
import type { CheckCall } from "./check-worker.js";
import { checkDigests } from "./segment-file.js";

/** A check of rows that a thread has begun. */
export interface RowCheck {
  /** Resolves when the check has ended, with its error: BACKUP_DAMAGED. */
  ended: Promise<HostError | undefined>;
}

/** Rows for one thread to check. `report` receives the number of rows checked so far. */
export interface RowCheckTask extends CheckCall {
  report: (rows: number) => void;
}

/**
 * Starts to check rows of segments, each task in a worker thread, and resolves when the threads have their calls: what
 * blocks this thread before that holds them up. `before` is work that must succeed first, as the check of digests: the
 * threads start meanwhile.
 */
export async function startRowChecks(
  tasks: readonly RowCheckTask[],
  before: () => void,
): Promise<RowCheck[]> {
  const lost = () =>
    new HostError("INTERNAL", "The thread that checks segments ended unexpectedly.");
  const starting = tasks.map(({ report, ...call }) => ({
    call,
    report,
    thread: startWorker<CheckCall, undefined>("segment/check-worker", undefined, lost, {
      maxYoungGenerationSizeMb: limits.checkYoungGenerationMiB,
    }),
  }));
  try {
    before();
  } catch (error) {
    await Promise.allSettled(starting.map(async ({ thread }) => (await thread).close()));
    throw error;
  }
  const checks = await Promise.allSettled(
    starting.map(async ({ call, report, thread }) => {
      const checker = await thread;
      return { ended: check(checker, call, report) };
    }),
  );
  const failed = checks.find((one) => one.status === "rejected");
  const started = checks.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  if (failed === undefined) return started;
  await Promise.all(started.map(({ ended }) => ended));
  throw failed.reason;
}

async function check(
  checker: WorkerClient<CheckCall, undefined>,
  call: CheckCall,
  report: (rows: number) => void,
): Promise<HostError | undefined> {
  try {
    await checker.call(call, report);
    return undefined;
  } catch (error) {
    return HostError.from(error);
  } finally {
    await checker.close();
  }
}

/** Does work beside threads that check rows; both must succeed. The error of a row is the more specific one. */
export async function besideRowChecks<T>(
  checks: readonly RowCheck[],
  work: () => T | Promise<T>,
): Promise<T> {
  const worked = await Promise.resolve()
    .then(work)
    .catch((error: unknown) => HostError.from(error));
  for (const problem of await Promise.all(checks.map(({ ended }) => ended)))
    if (problem) throw problem;
  if (worked instanceof HostError) throw worked;
  return worked;
}

/** Checks the digests of segments, then does work on them beside a thread that checks their rows; all must succeed. */
export async function besideCheckOf<T>(
  segments: SegmentSource[],
  work: () => T | Promise<T>,
): Promise<T> {
  const tasks = [{ segments, report: () => {} }];
  return besideRowChecks(await startRowChecks(tasks, () => checkDigests(segments)), work);
}

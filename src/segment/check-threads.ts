import { HostError } from "../errors.js";
import { startWorker } from "../io/worker-client.js";
import type { CheckCall } from "./check-worker.js";

/** A check of rows that a thread has begun. */
export interface RowCheck {
  /** Resolves when the check has ended, with its error: BACKUP_DAMAGED. */
  ended: Promise<HostError | undefined>;
}

/**
 * Starts to check rows of segments in a worker thread, and resolves when the thread has the call: what blocks this
 * thread before that holds it up. `report` receives the number of rows checked so far.
 */
export async function startRowCheck(
  call: CheckCall,
  report: (rows: number) => void,
): Promise<RowCheck> {
  const lost = () =>
    new HostError("INTERNAL", "The thread that checks segments ended unexpectedly.");
  const checker = await startWorker<CheckCall, undefined>("segment/check-worker", undefined, lost);
  const checked = async () => {
    try {
      await checker.call(call, report);
      return undefined;
    } catch (error) {
      return HostError.from(error);
    } finally {
      await checker.close();
    }
  };
  return { ended: checked() };
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

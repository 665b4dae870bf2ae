import { HostError } from "../errors.js";
import { startWorker } from "../io/worker-client.js";
import type { CheckCall } from "./check-worker.js";

/**
 * Checks rows of segments in a worker thread. `report` receives the number of rows checked so far.
 * Throws BACKUP_DAMAGED.
 */
export async function checkRowsInThread(
  call: CheckCall,
  report: (rows: number) => void,
): Promise<void> {
  const lost = () =>
    new HostError("INTERNAL", "The thread that checks segments ended unexpectedly.");
  const checker = await startWorker<CheckCall, undefined>("segment/check-worker", undefined, lost);
  try {
    await checker.call(call, report);
  } finally {
    await checker.close();
  }
}

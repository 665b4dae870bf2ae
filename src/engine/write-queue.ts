import type { DocumentWrite } from "../document/document.js";
import { HostError, type HostErrorRecord } from "../errors.js";
import { limits } from "../limits.js";

/** What a write became: the version; or nothing, if a DELETE found the document deleted; or why it was refused. */
export type WriteOutcome<Row> = { row: Row } | { nothing: true } | { error: HostErrorRecord };

interface Waiting<Row> {
  write: DocumentWrite;
  bytes: number;
  /** When it arrived (performance.now). */
  sinceMs: number;
  resolve: (outcome: WriteOutcome<Row>) => void;
  reject: (error: unknown) => void;
}

/** Group commit: the writes that arrive while a batch is committed form the next batch. Bounded in count and bytes. */
export interface WriteQueue<Row> {
  add(write: DocumentWrite): Promise<WriteOutcome<Row>>;
  /** Resolves when every added write has its outcome. */
  drained(): Promise<void>;
}

/** `commit` receives a batch, and when the first of its writes arrived (performance.now). */
export function createWriteQueue<Row>(
  commit: (writes: DocumentWrite[], sinceMs: number) => Promise<WriteOutcome<Row>[]>,
): WriteQueue<Row> {
  let waiting: Waiting<Row>[] = [];
  let waitingBytes = 0;
  let running: Promise<void> | undefined;

  function takeBatch(): Waiting<Row>[] {
    let bytes = 0;
    let count = 0;
    for (const { bytes: size } of waiting) {
      if (count === limits.writeBatch || (count > 0 && bytes + size > limits.writeBatchBytes))
        break;
      bytes += size;
      count += 1;
    }
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    waitingBytes -= bytes;
    return batch;
  }

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const batch = takeBatch();
      try {
        const outcomes = await commit(
          batch.map(({ write }) => write),
          batch[0]?.sinceMs ?? 0,
        );
        batch.forEach(({ resolve, reject }, i) => {
          const outcome = outcomes[i];
          if (outcome) resolve(outcome);
          else
            reject(
              new HostError(
                "INTERNAL",
                "The writer returned fewer outcomes than it received writes.",
              ),
            );
        });
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    running = undefined;
  }

  return {
    add(write) {
      // UTF-16 units instead of bytes of UTF-8: the bound need not be exact.
      const bytes = write.body.length + write.link.length + 200;
      if (
        waiting.length >= limits.writeQueue ||
        (waiting.length > 0 && waitingBytes + bytes > limits.writeQueueBytes)
      ) {
        return Promise.reject(
          new HostError(
            "QUEUE_FULL",
            "The write queue is full: the storage is slower than the clients. Try again in a moment.",
          ),
        );
      }
      return new Promise((resolve, reject) => {
        waiting.push({ write, bytes, sinceMs: performance.now(), resolve, reject });
        waitingBytes += bytes;
        // Writes of the same turn of the event loop join the same batch.
        running ??= new Promise<void>((next) => setImmediate(next)).then(run);
      });
    },
    async drained() {
      while (running) await running;
    },
  };
}

import { HostError } from "../../errors.js";

/** What happened to a requested run. SKIPPED: another one of its kind waits already. */
export type Queued = "STARTED" | "WAITING" | "SKIPPED";

interface Waiting {
  kind: string;
  work: (signal: AbortSignal) => Promise<void>;
}

interface Lane {
  running: { cancel: AbortController; settled: Promise<void> } | undefined;
  /** At most one of each kind. */
  waiting: Waiting[];
}

/**
 * Runs the work of policies: one run of each policy at a time, and at most `concurrency` in total. While
 * a run is under way, one more of each kind waits.
 */
export class RunQueue {
  private readonly lanes = new Map<string, Lane>();
  /** Policies with waiting work, in the order of their requests. */
  private readonly ready = new Set<string>();
  private running = 0;
  private closed = false;

  /** `onError` receives errors that work throws, which it should not. */
  constructor(
    private readonly concurrency: number,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** Starts work, or queues it. Throws SHUTTING_DOWN. */
  add(policy: string, kind: string, work: Waiting["work"]): Queued {
    if (this.closed)
      throw new HostError("SHUTTING_DOWN", "The host is shutting down and starts no runs.");
    const lane = this.lanes.get(policy) ?? { running: undefined, waiting: [] };
    this.lanes.set(policy, lane);
    if (lane.waiting.some((each) => each.kind === kind)) return "SKIPPED";
    lane.waiting.push({ kind, work });
    this.ready.add(policy);
    this.startReady();
    return lane.waiting.length === 0 ? "STARTED" : "WAITING";
  }

  isRunning(policy: string): boolean {
    return this.lanes.get(policy)?.running !== undefined;
  }

  /** Cancels what runs and waits for a policy, and resolves when nothing runs. */
  async cancel(policy: string, reason: HostError): Promise<void> {
    const lane = this.lanes.get(policy);
    if (!lane) return;
    this.drop(policy, lane);
    lane.running?.cancel.abort(reason);
    await lane.running?.settled;
  }

  /** Drops what waits, and cancels what runs. Resolves when nothing runs. */
  async close(): Promise<void> {
    this.closed = true;
    const reason = new HostError("SHUTTING_DOWN", "The host was shut down before the run ended.");
    await Promise.all([...this.lanes.keys()].map((policy) => this.cancel(policy, reason)));
  }

  private drop(policy: string, lane: Lane): void {
    lane.waiting.length = 0;
    this.ready.delete(policy);
  }

  private startReady(): void {
    for (const policy of this.ready) {
      if (this.running >= this.concurrency) return;
      const lane = this.lanes.get(policy);
      if (lane === undefined || lane.running !== undefined) continue;
      this.ready.delete(policy);
      const next = lane.waiting.shift();
      if (next) this.start(policy, lane, next);
    }
  }

  private start(policy: string, lane: Lane, { work }: Waiting): void {
    const cancel = new AbortController();
    this.running += 1;
    const settled = work(cancel.signal)
      .catch(this.onError)
      .then(() => {
        this.running -= 1;
        lane.running = undefined;
        if (lane.waiting.length > 0) this.ready.add(policy);
        else this.lanes.delete(policy);
        this.startReady();
      });
    lane.running = { cancel, settled };
  }
}

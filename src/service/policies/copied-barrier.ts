import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";

interface Waiter {
  micros: number;
  resolve: () => void;
  reject: (error: HostError) => void;
  timer: NodeJS.Timeout;
}

/** Options of CopiedBarrier. */
export interface CopiedBarrierOptions {
  policy: string;
  /** URI without credentials. */
  destination: string;
  /** FAIL: writes fail while they cannot be copied. DEGRADE: they are acknowledged all the same. */
  whenUnreachable: "FAIL" | "DEGRADE";
  /** Called when writes begin or cease to be held up. */
  onChanged?(): void;
}

/** Writes that cannot be copied. */
export interface BlockedCopies {
  /** Why. */
  problem: string;
  /** FAIL: they are refused. DEGRADE: they are acknowledged before they are copied. */
  whenUnreachable: "FAIL" | "DEGRADE";
}

/**
 * Holds the acknowledgement of writes until a backup covers them. While the destination is unreachable,
 * refuses writes before they are written, or lets them pass, as the policy states.
 */
export class CopiedBarrier {
  /** In the order of their times. */
  private waiting: Waiter[] = [];
  private coveredMicros = 0;
  private problem: string | undefined;
  /** The barrier of the policy as it is now, which holds the writes of this one. */
  private successor: CopiedBarrier | undefined;

  constructor(private readonly options: CopiedBarrierOptions) {}

  /** What happens to writes that cannot be copied at present, and why. Undefined: they can. */
  blocked(): BlockedCopies | undefined {
    const { problem } = this;
    return problem === undefined
      ? undefined
      : { problem, whenUnreachable: this.options.whenUnreachable };
  }

  /** Called before a write. Throws NOT_COPIED if it would not be copied; nothing is written then. */
  admit(): void {
    if (this.problem === undefined || this.options.whenUnreachable === "DEGRADE") return;
    throw this.error("Nothing was written.");
  }

  /** Resolves when a backup covers the write with this update time. Throws NOT_COPIED. */
  async copied(micros: number): Promise<void> {
    if (micros <= this.coveredMicros) return;
    // Degraded: refused before, or not waited for.
    if (this.problem !== undefined && this.options.whenUnreachable === "DEGRADE") return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () =>
          this.failed(
            `${this.options.destination} took more than ${limits.copiedWaitMs / 1000} s.`,
          ),
        limits.copiedWaitMs,
      );
      this.waiting.push({ micros, resolve, reject, timer });
    });
  }

  /** Reports a backup that covers all writes up to a position. */
  performed(positionMicros: number): void {
    this.successor?.performed(positionMicros);
    this.note(undefined);
    this.coveredMicros = Math.max(this.coveredMicros, positionMicros);
    const left: Waiter[] = [];
    for (const waiter of this.waiting) {
      if (waiter.micros > this.coveredMicros) {
        left.push(waiter);
        continue;
      }
      clearTimeout(waiter.timer);
      waiter.resolve();
    }
    this.waiting = left;
  }

  /** Reports that a backup failed. */
  failed(problem: string): void {
    this.note(problem);
    const ended = this.waiting;
    this.waiting = [];
    const error = this.error(
      "The write is durable on this host, and is copied when the destination is reachable again. Read the document before you repeat it.",
    );
    for (const { resolve, reject, timer } of ended) {
      clearTimeout(timer);
      if (this.options.whenUnreachable === "DEGRADE") resolve();
      else reject(error);
    }
  }

  /** Lets another barrier of the same index hold the writes that wait, when the policy was changed. */
  handOver(successor: CopiedBarrier): void {
    this.successor = successor;
    for (const { micros, resolve, reject, timer } of this.waiting.splice(0)) {
      clearTimeout(timer);
      successor.copied(micros).then(resolve, reject);
    }
  }

  /**
   * The policy no longer holds writes. Those that wait were not copied, and their clients must not believe it:
   * NOT_COPIED, unless the policy acknowledges writes without a copy.
   */
  close(): void {
    if (this.waiting.length === 0) return;
    this.failed("the policy was paused, changed or removed, or the host stops.");
    this.note(undefined);
  }

  private note(problem: string | undefined): void {
    const isChanged = (problem === undefined) !== (this.problem === undefined);
    this.problem = problem;
    if (isChanged) this.options.onChanged?.();
  }

  private error(outcome: string): HostError {
    const { policy, destination } = this.options;
    return new HostError(
      "NOT_COPIED",
      `Policy ${policy} acknowledges a write when it is copied to ${destination}, which fails: ${this.problem ?? ""} ${outcome}`,
      { metadata: { policy, retryAfterSeconds: "1" } },
    );
  }
}

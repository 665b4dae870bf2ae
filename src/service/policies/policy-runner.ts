import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { VerifyLevel } from "../../backup/verification.js";
import {
  destinationsOf,
  tasksOf,
  type PolicySpec,
  type PolicyTask,
  type RunKind,
} from "../../policy/policy.js";
import { Scheduler, type SchedulerClock } from "../../policy/scheduler.js";
import { withoutSecrets } from "../../security/secrets.js";
import type { RetentionPlan } from "./plan-retention.js";
import { withoutFailure, type PolicyProgressFile } from "./policy-progress.js";
import { errorOf, type PolicyRun, type RunReason, type RunStep } from "./policy-run.js";
import type { EndedStep, PolicySteps } from "./policy-steps.js";
import type { RunHistory } from "./run-history.js";
import { RunQueue } from "./run-queue.js";

/** Options of PolicyRunner. */
export interface PolicyRunnerOptions {
  platform: Pick<Platform, "nowMicros" | "randomId" | "randomHex">;
  clock: SchedulerClock;
  progress: PolicyProgressFile;
  history: RunHistory;
  steps: PolicySteps;
  /** Returns a policy as it is now, or undefined if it does not exist. */
  specOf(name: string): PolicySpec | undefined;
  /** Called when a run has ended and was recorded; `failuresBefore` counts the failed runs of its kind before it. */
  onEnded(spec: PolicySpec, run: PolicyRun, failuresBefore: number): void;
  /** Called when a run was missed while the host was down, and is made up. */
  onMissed(spec: PolicySpec, kind: RunKind, dueMs: number): void;
  onInternalError(error: unknown): void;
}

/** What is to run. */
interface Request {
  spec: PolicySpec;
  kind: RunKind;
  reason: RunReason;
  /** COPY: URI of the only copy. Default: all. */
  copy?: string | undefined;
  /** Of a scheduled run: its task and planned time. */
  task?: { key: string; dueMs: number };
}

/** Runs policies: at their planned times, on request, and again after failures. */
export class PolicyRunner {
  private readonly scheduler: Scheduler;
  private readonly queue: RunQueue;
  private readonly specs = new Map<string, PolicySpec>();
  /** Tasks that are due next because they were missed. */
  private readonly missed = new Set<string>();
  /** When tasks are tried again after a failure. */
  private readonly retries = new Map<string, number>();

  constructor(private readonly options: PolicyRunnerOptions) {
    const { clock, platform, onInternalError } = options;
    this.queue = new RunQueue(limits.concurrentPolicyRuns, onInternalError);
    this.scheduler = new Scheduler({
      clock,
      random: () => Number.parseInt(platform.randomHex(4), 16) / 2 ** 32,
      onDue: (name, dueMs, isRetry) => this.due(name, dueMs, isRetry),
      onMissed: (name) => void this.missed.add(name),
    });
  }

  /** Schedules a policy, or schedules it as it is now. Intervals count from `anchorMs`. */
  schedule(spec: PolicySpec, anchorMs: number): void {
    this.unschedule(spec.name);
    this.specs.set(spec.name, spec);
    const { lastDueMs } = this.options.progress.of(spec.name);
    for (const task of tasksOf(spec))
      this.scheduler.set(taskName(spec, task), {
        schedule: task.schedule,
        jitterMs: spec.jitterMs,
        anchorMs,
        lastStartMs: lastDueMs[task.key] ?? anchorMs,
      });
  }

  /** Stops to schedule a policy. A run under way continues. */
  unschedule(name: string): void {
    const spec = this.specs.get(name);
    if (!spec) return;
    this.specs.delete(name);
    for (const task of tasksOf(spec)) {
      const key = taskName(spec, task);
      this.scheduler.delete(key);
      this.missed.delete(key);
      this.retries.delete(key);
    }
  }

  /** Cancels the run of a policy and what waits. Resolves when it has ended. */
  cancel(name: string): Promise<void> {
    return this.queue.cancel(
      name,
      new HostError("OPERATION_CANCELLED", "The policy was deleted during the run."),
    );
  }

  /** Starts a run on request, and returns it. Throws POLICY_BUSY if one of its kind waits already. */
  request(spec: PolicySpec, kind: RunKind): PolicyRun {
    const run = this.add({ spec, kind, reason: "REQUESTED" });
    if (run) return run;
    throw new HostError(
      "POLICY_BUSY",
      `A run of policy ${spec.name} is under way, and another one of the same kind is waiting. Retry when they have ended.`,
    );
  }

  isRunning(name: string): boolean {
    return this.queue.isRunning(name);
  }

  /** When the next backup of a policy is tried again after a failure, in milliseconds. */
  retryMs(spec: PolicySpec): number | undefined {
    const times = tasksOf(spec).flatMap((task) => this.retries.get(taskName(spec, task)) ?? []);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  async close(): Promise<void> {
    this.scheduler.close();
    await this.queue.close();
  }

  private due(name: string, dueMs: number, isRetry: boolean): void {
    const wasMissed = this.missed.delete(name);
    this.retries.delete(name);
    const [policy = "", ...key] = name.split(" ");
    const spec = this.specs.get(policy);
    const task = spec && tasksOf(spec).find((one) => one.key === key.join(" "));
    if (!spec || !task) return;
    if (wasMissed) {
      this.options.progress.change(policy, (progress) => (progress.missedRuns += 1));
      this.options.onMissed(spec, task.kind, dueMs);
    }
    const request: Request = {
      spec,
      kind: task.kind,
      reason: wasMissed ? "MISSED" : isRetry ? "RETRY" : "SCHEDULED",
      copy: task.copy,
      task: { key: task.key, dueMs },
    };
    if (this.add(request) === undefined)
      this.options.progress.change(policy, (progress) => (progress.skippedRuns += 1));
  }

  private add(request: Request): PolicyRun | undefined {
    const { spec, kind, reason, copy = "" } = request;
    const run: PolicyRun = {
      id: this.options.platform.randomId(),
      policy: spec.name,
      kind,
      reason,
      state: "RUNNING",
      startTimeMicros: this.options.platform.nowMicros(),
      endTimeMicros: 0,
      steps: [],
    };
    const queued = this.queue.add(spec.name, `${kind} ${copy}`, (signal) =>
      this.run(request, run, signal),
    );
    return queued === "SKIPPED" ? undefined : run;
  }

  private async run(request: Request, run: PolicyRun, signal: AbortSignal): Promise<void> {
    const { platform, progress, history, onEnded } = this.options;
    const { kind } = request;
    const spec = this.currentSpec(request);
    run.startTimeMicros = platform.nowMicros();
    progress.change(spec.name, (known) => (known.running = run));
    // So that a kill from now on is recorded as an interrupted run.
    await progress.settled();
    await this.stepsOf({ ...request, spec }, run, signal);
    const error = errorOf(run);
    Object.assign(run, {
      state: error === undefined ? "SUCCEEDED" : "FAILED",
      endTimeMicros: platform.nowMicros(),
    } satisfies Partial<PolicyRun>);
    // A host that stops makes the run up after its next start.
    if (
      signal.aborted &&
      signal.reason instanceof HostError &&
      signal.reason.reason === "SHUTTING_DOWN"
    )
      run.state = "INTERRUPTED";
    const failuresBefore = progress.of(spec.name).failures[kind]?.count ?? 0;
    progress.change(spec.name, (known) => {
      delete known.running;
      if (request.task && run.state !== "INTERRUPTED")
        known.lastDueMs[request.task.key] = request.task.dueMs;
      if (error === undefined) {
        known.failures = withoutFailure(known, kind);
        if (kind === "BACKUP") known.lastSuccessMicros = run.endTimeMicros;
      } else
        known.failures[kind] = {
          count: failuresBefore + 1,
          timeMicros: run.endTimeMicros,
          ...error,
        };
    });
    await history.add(run);
    if (signal.aborted) return;
    if (error !== undefined) this.retry(request, error);
    else this.cancelRetries(request);
    onEnded(spec, run, failuresBefore);
  }

  /** A run that waited starts with the policy as it is now, unless that no longer has such a run. */
  private currentSpec({ spec, kind, copy }: Request): PolicySpec {
    const current = this.options.specOf(spec.name);
    if (!current) return spec;
    const hasRun =
      kind === "COPY"
        ? current.copies.some(({ destination }) => copy === undefined || copy === destination)
        : kind !== "BACKUP" || current.schedule.kind !== "continuous";
    return hasRun ? current : spec;
  }

  /**
   * Plans another attempt, also of a run on request, whose failure is the policy's from then on. Damage does
   * not heal by itself, and a policy may have been paused or changed during the run.
   */
  private retry(request: Request, { reason }: { reason: string }): void {
    const { spec, kind } = request;
    if (reason === "BACKUP_DAMAGED") return;
    const { count = 1 } = this.options.progress.of(spec.name).failures[kind] ?? {};
    const waitMs = Math.min(
      limits.policyRetryMs * 2 ** Math.min(count - 1, 20),
      limits.policyRetryMaxMs,
    );
    for (const name of this.tasksLike(request)) {
      this.retries.set(name, this.options.clock.nowMs() + waitMs);
      this.scheduler.retryIn(name, waitMs);
    }
  }

  private cancelRetries(request: Request): void {
    for (const name of this.tasksLike(request)) {
      this.retries.delete(name);
      this.scheduler.cancelRetry(name);
    }
  }

  /** Returns the names of the scheduled tasks that do what was requested. */
  private tasksLike({ spec, kind, copy, task }: Request): string[] {
    const current = this.specs.get(spec.name);
    if (!current) return [];
    return tasksOf(current)
      .filter((one) =>
        task ? one.key === task.key : one.kind === kind && (copy ?? one.copy) === one.copy,
      )
      .map((one) => taskName(spec, one));
  }

  private async stepsOf({ spec, kind, copy }: Request, run: PolicyRun, signal: AbortSignal) {
    switch (kind) {
      case "BACKUP":
        return this.backUp(spec, run, signal);
      case "COPY":
        for (const { destination } of spec.copies)
          if (!signal.aborted && (copy === undefined || copy === destination))
            await this.copy(spec, destination, run, signal);
        return undefined;
      case "VERIFY":
        for (const uri of destinationsOf(spec))
          if (!signal.aborted)
            await this.verify(spec, uri, spec.verify?.level ?? "FULL", run, signal);
        return undefined;
      case "RESTORE_TEST":
        for (const uri of destinationsOf(spec))
          if (!signal.aborted) await this.testRestore(spec, uri, run, signal);
    }
  }

  private async backUp(spec: PolicySpec, run: PolicyRun, signal: AbortSignal): Promise<void> {
    const { progress, steps, platform } = this.options;
    const { destination: uri } = spec;
    const before = progress.of(spec.name).destinations[withoutSecrets(uri)]?.backupName;
    const { result } = this.ended(run, spec, uri, await steps.backUp(spec, signal));
    if (!result) return;
    if (result.foundNone) progress.noteGone(spec.name, withoutSecrets(uri), platform.nowMicros());
    const { name, positionMicros } = result.backup;
    progress.changeDestination(spec.name, withoutSecrets(uri), {
      backupName: name,
      positionMicros,
      lastSuccessMicros: platform.nowMicros(),
    });
    const copies = spec.copies.map(({ destination }) => withoutSecrets(destination));
    progress.noteBehind(spec.name, copies, positionMicros, platform.nowMicros());
    const plan = await this.retain(spec, uri, run, signal);
    if (before && plan && !plan.decisions.some((one) => one.name === before))
      progress.noteGone(spec.name, withoutSecrets(uri), platform.nowMicros());
    for (const { destination, schedule } of spec.copies)
      if (!signal.aborted && !schedule) await this.copy(spec, destination, run, signal);
  }

  private async copy(
    spec: PolicySpec,
    uri: string,
    run: PolicyRun,
    signal: AbortSignal,
  ): Promise<void> {
    const { progress, steps, platform } = this.options;
    const { result } = this.ended(run, spec, uri, await steps.copy(spec, uri, signal));
    if (!result) return;
    if (result.foundNone) progress.noteGone(spec.name, withoutSecrets(uri), platform.nowMicros());
    const { name, positionMicros } = result.backup;
    const newest = progress.of(spec.name).destinations[withoutSecrets(spec.destination)];
    progress.changeDestination(spec.name, withoutSecrets(uri), {
      backupName: name,
      positionMicros,
      lastSuccessMicros: platform.nowMicros(),
      ...(positionMicros >= (newest?.positionMicros ?? 0) && { behindSinceMicros: 0 }),
    });
    await this.retain(spec, uri, run, signal);
  }

  /** Removes what the rules do not keep, and notes which window the backups cover. Returns what was decided. */
  private async retain(
    spec: PolicySpec,
    uri: string,
    run: PolicyRun,
    signal: AbortSignal,
  ): Promise<RetentionPlan | undefined> {
    const { steps, progress } = this.options;
    if (signal.aborted) return undefined;
    const ended = await steps.retain(spec, uri, signal);
    // Without rules it only looks.
    if (spec.retention || ended.step.error) this.ended(run, spec, uri, ended);
    if (!ended.result) return undefined;
    const { windowFromMicros, windowToMicros } = ended.result;
    progress.changeDestination(spec.name, withoutSecrets(uri), {
      windowFromMicros,
      windowToMicros,
    });
    return ended.result;
  }

  private async verify(
    spec: PolicySpec,
    uri: string,
    level: VerifyLevel,
    run: PolicyRun,
    signal: AbortSignal,
  ): Promise<void> {
    const { progress, steps, platform } = this.options;
    const { result, step } = this.ended(
      run,
      spec,
      uri,
      await steps.verify(spec, uri, level, this.positionAt(spec, uri), signal),
    );
    if (!result && step.error?.reason !== "BACKUP_DAMAGED") return;
    progress.changeDestination(spec.name, withoutSecrets(uri), {
      lastVerification: {
        level,
        timeMicros: platform.nowMicros(),
        passed: result !== undefined,
        records: result?.records ?? 0,
        ...(step.error && { problem: step.error.message }),
      },
      ...(result && { goneMicros: undefined }),
    });
  }

  private async testRestore(
    spec: PolicySpec,
    uri: string,
    run: PolicyRun,
    signal: AbortSignal,
  ): Promise<void> {
    const { progress, steps, platform } = this.options;
    const { result, step } = this.ended(
      run,
      spec,
      uri,
      await steps.testRestore(spec, uri, this.positionAt(spec, uri), signal),
    );
    if (signal.aborted) return;
    const timeMicros = platform.nowMicros();
    progress.changeDestination(spec.name, withoutSecrets(uri), {
      ...(result && { goneMicros: undefined }),
      ...(result?.compared && { lastProvenRestoreMicros: timeMicros }),
      lastRestoreTest: {
        timeMicros,
        passed: result !== undefined,
        backupName: result?.backup.name ?? "",
        documents: result?.documents ?? 0,
        restoreMicros: result?.restoreMicros ?? 0,
        compared: result?.compared ?? false,
        ...(step.error && { problem: step.error.message, reason: step.error.reason }),
      },
    });
  }

  /** Up to which time the newest backup at a destination covers writes; 0: there is none yet. */
  private positionAt({ name }: PolicySpec, uri: string): number {
    return this.options.progress.of(name).destinations[withoutSecrets(uri)]?.positionMicros ?? 0;
  }

  /** Adds a step to its run, and notes whether the destination works. */
  private ended<T>(
    run: PolicyRun,
    spec: PolicySpec,
    uri: string,
    ended: EndedStep<T>,
  ): EndedStep<T> & { step: RunStep } {
    run.steps.push(ended.step);
    this.options.progress.changeDestination(spec.name, withoutSecrets(uri), {
      lastError: ended.step.error?.message ?? "",
    });
    return ended;
  }
}

const taskName = ({ name }: PolicySpec, { key }: PolicyTask) => `${name} ${key}`;

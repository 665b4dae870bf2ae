import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { formatTime } from "../../io/time.js";
import { limits } from "../../limits.js";
import type { BackupResult } from "../../backup/backup-request.js";
import type { CopyResult } from "../../backup/copy.js";
import type { VerifyLevel, VerifyResult } from "../../backup/verification.js";
import type { DecryptWith } from "../../encoding/encoding-call.js";
import type { OperationService, OperationView } from "../../operation/operation.js";
import type { PolicySpec } from "../../policy/policy.js";
import { withoutSecrets } from "../../security/secrets.js";
import type { ManagementService } from "../backups/management-service.js";
import type { RunStep } from "./policy-run.js";
import { planRetention, type RetentionPlan } from "./plan-retention.js";

/** Dependencies of PolicySteps. */
export interface PolicyStepsOptions {
  platform: Pick<Platform, "nowMicros">;
  management: ManagementService;
  operations: OperationService;
  /** IDs of the indexes of this host, whose backups retention may remove. */
  ownIndexIds(): string[];
  /** Identities of age that open encrypted backups. Secret. Default: none. */
  identities?: string | undefined;
}

/** What a step returns beside its duration and error. */
type Outcome = Partial<Omit<RunStep, "kind" | "destination" | "durationMicros" | "error">>;

/** A step that has ended, and the result of its operation. */
export interface EndedStep<T> {
  step: RunStep;
  /** Absent: the step failed. */
  result?: T;
}

/**
 * What policies do, by the same methods and operations as clients. A step that fails returns its error
 * and does not throw.
 */
export class PolicySteps {
  constructor(private readonly options: PolicyStepsOptions) {}

  /** Backs up, and keeps earlier backups for retention. */
  backUp(spec: PolicySpec, signal: AbortSignal): Promise<EndedStep<BackupResult>> {
    const { management } = this.options;
    const start = () =>
      management.backup({
        destination: spec.destination,
        container: "DIRECTORY",
        indexLink: spec.indexLink,
        keepEarlier: true,
        policy: spec.name,
        ...(spec.compression && { compression: spec.compression }),
        ...(spec.recipients.length > 0 && {
          encryption: { encryptTo: { recipients: spec.recipients } },
        }),
      });
    return this.operation("backup", spec.destination, start, signal, (result: BackupResult) => ({
      backupName: result.backup.name,
      bytes: result.bytesWritten,
      warnings: result.warnings,
    }));
  }

  /** Copies the newest backup, and earlier ones that are newer than those of the further destination, to that. */
  copy(spec: PolicySpec, uri: string, signal: AbortSignal): Promise<EndedStep<CopyResult>> {
    const { management } = this.options;
    const { destination: source, name: policy } = spec;
    const request = { source, destination: uri, policy, catchUp: true };
    const start = () => management.copyBackup(request);
    return this.operation("copy", uri, start, signal, (result: CopyResult) => ({
      backupName: result.backup.name,
      copiedBackups: result.copiedBackups,
      bytes: result.bytesWritten,
      warnings: result.warnings,
    }));
  }

  /**
   * Restores the newest backup of a destination on trial, and compares it with the live index. `positionMicros` is
   * that of the newest backup that was written there: BACKUP_DAMAGED if there are older ones alone.
   */
  testRestore(
    spec: PolicySpec,
    uri: string,
    positionMicros: number,
    signal: AbortSignal,
  ): Promise<EndedStep<VerifyResult>> {
    const depth = {
      level: "TEST_RESTORE" as const,
      samplePercent: 100,
      compare: true,
      policy: spec.name,
      ...this.keys(),
    };
    const start = () => this.options.management.verifyBackup(uri, undefined, depth);
    return this.operation("restore-test", uri, start, signal, (result: VerifyResult) =>
      newestOutcome(result, positionMicros),
    );
  }

  /** Verifies the newest backup of a destination; see testRestore. */
  verify(
    spec: PolicySpec,
    uri: string,
    level: VerifyLevel,
    positionMicros: number,
    signal: AbortSignal,
  ): Promise<EndedStep<VerifyResult>> {
    const { management } = this.options;
    const depth = {
      level,
      samplePercent: limits.samplePercent,
      policy: spec.name,
      ...this.keys(),
    };
    const start = () => management.verifyBackup(uri, undefined, depth);
    return this.operation("verify", uri, start, signal, (result: VerifyResult) =>
      newestOutcome(result, positionMicros),
    );
  }

  /** Removes the backups of a destination that the rules of a policy do not keep. */
  retain(spec: PolicySpec, uri: string, signal: AbortSignal): Promise<EndedStep<RetentionPlan>> {
    const { management } = this.options;
    return this.step("retention", uri, async () => {
      const plan = await this.planRetention(spec, uri, signal);
      const names = plan.decisions.filter(({ keep }) => !keep).map(({ name }) => name);
      signal.throwIfAborted();
      if (names.length === 0) return { result: plan };
      const { removedBackups, freedBytes } = await management.pruneBackups(uri, names);
      return { result: plan, removedBackups, bytes: freedBytes };
    });
  }

  /** Lists the backups of a destination and decides which of them stay. */
  async planRetention(spec: PolicySpec, uri: string, signal: AbortSignal): Promise<RetentionPlan> {
    const { management, platform, ownIndexIds } = this.options;
    const listings = await management.listBackups(uri, { signal });
    return planRetention(listings, spec, ownIndexIds(), platform.nowMicros());
  }

  private keys(): { decryptWith?: DecryptWith } {
    const { identities } = this.options;
    return identities === undefined ? {} : { decryptWith: { identities, passphrase: "" } };
  }

  /** Runs an operation to its end. An aborted signal cancels it. */
  private operation<T>(
    kind: RunStep["kind"],
    uri: string,
    start: () => Promise<OperationView>,
    signal: AbortSignal,
    outcomeOf: (result: T) => Outcome,
  ): Promise<EndedStep<T>> {
    return this.step(kind, uri, async (step) => {
      const view = await this.ended(await start(), signal);
      step.operation = view.name;
      if (view.error) throw view.error;
      const result = view.result as T;
      return { result, ...outcomeOf(result) };
    });
  }

  private async ended(started: OperationView, signal: AbortSignal): Promise<OperationView> {
    const { operations } = this.options;
    const cancel = () => void operations.cancel(started.name).catch(() => {});
    if (signal.aborted) cancel();
    signal.addEventListener("abort", cancel, { once: true });
    try {
      let view = started;
      while (!view.done) view = await operations.wait(view.name, limits.operationWaitMs);
      return view;
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  }

  private async step<T>(
    kind: RunStep["kind"],
    uri: string,
    work: (step: RunStep) => Promise<Outcome & { result: T }>,
  ): Promise<EndedStep<T>> {
    const { platform } = this.options;
    const startMicros = platform.nowMicros();
    const step: RunStep = {
      kind,
      destination: withoutSecrets(uri),
      durationMicros: 0,
      bytes: 0,
      removedBackups: [],
      warnings: [],
    };
    try {
      const { result, ...outcome } = await work(step);
      Object.assign(step, outcome);
      return { step: bounded(step, platform.nowMicros() - startMicros), result };
    } catch (thrown) {
      const { reason, message } = HostError.from(thrown);
      step.error = { reason, message };
      return { step: bounded(step, platform.nowMicros() - startMicros) };
    }
  }
}

/** BACKUP_DAMAGED if a newer backup was written there: what was verified is whole, and not all that there should be. */
function newestOutcome({ backup, warnings }: VerifyResult, positionMicros: number): Outcome {
  if (backup.positionMicros < positionMicros)
    throw new HostError(
      "BACKUP_DAMAGED",
      `The newest backup there, ${backup.name}, is whole and covers writes up to ${formatTime(backup.positionMicros)}; a newer one was written, up to ${formatTime(positionMicros)}, and is gone.`,
    );
  return { backupName: backup.name, warnings };
}

/** A step is kept in the history of its policy. */
function bounded(step: RunStep, durationMicros: number): RunStep {
  const text = (long: string) => long.slice(0, limits.backupErrorChars);
  return {
    ...step,
    // The clock may have gone back.
    durationMicros: Math.max(0, durationMicros),
    removedBackups: step.removedBackups.slice(0, limits.policyRunNames),
    ...(step.copiedBackups && {
      copiedBackups: step.copiedBackups.slice(-limits.policyRunNames),
    }),
    warnings: step.warnings.slice(0, limits.backupRecordWarnings).map(text),
    ...(step.error && { error: { ...step.error, message: text(step.error.message) } }),
  };
}

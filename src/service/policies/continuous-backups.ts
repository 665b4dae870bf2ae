import { AutoBackup, type AutoBackupRun } from "../../backup/schedule/auto-backup.js";
import type { AutoBackupStatus } from "../../backup/schedule/status.js";
import { resolveTarget } from "../../container/resolve.js";
import type { EncryptTo } from "../../encoding/encoding-call.js";
import type { HostError } from "../../errors.js";
import type { PolicySpec } from "../../policy/policy.js";
import { withoutSecrets } from "../../security/secrets.js";
import type { ManagementOptions } from "../backups/management-options.js";
import { CopiedBarrier, type BlockedCopies } from "./copied-barrier.js";
import { restoresFromMicros } from "./plan-retention.js";
import { withoutFailure, type PolicyProgressFile, type RunFailure } from "./policy-progress.js";
import type { PolicyRun } from "./policy-run.js";
import type { RunHistory } from "./run-history.js";

/** Dependencies of ContinuousBackups. */
export interface ContinuousBackupsOptions extends Pick<
  ManagementOptions,
  | "platform"
  | "indexOf"
  | "registry"
  | "verifications"
  | "written"
  | "sign"
  | "trust"
  | "encryptTo"
  | "temporaryDirectory"
  | "hostId"
  | "productVersion"
> {
  progress: PolicyProgressFile;
  /** Receives outages. */
  history: RunHistory;
  /** Called when backups of a policy start to fail. */
  onFailed(spec: PolicySpec, error: HostError): void;
  /** Called after each backup; `failuresBefore` counts the failed ones before it. */
  onSucceeded(spec: PolicySpec, failuresBefore: number): void;
  /** Called when writes begin or cease to be held up because they cannot be copied. */
  onBlocked(): void;
  onBackgroundError(error: unknown): void;
}

interface Continuous {
  spec: PolicySpec;
  autoBackup: AutoBackup;
  barrier: CopiedBarrier | undefined;
  removeBarrier: () => void;
}

/** The continuous backups of policies: each writes a delta after each commit, and merges them in the background. */
export class ContinuousBackups {
  private readonly running = new Map<string, Continuous>();

  constructor(private readonly options: ContinuousBackupsOptions) {}

  /**
   * Starts the backups of a policy, or starts them as the policy is now: writes that wait for their copy wait on, and
   * no write passes in between.
   */
  async start(spec: PolicySpec): Promise<void> {
    const old = this.running.get(spec.name);
    const index = this.options.indexOf(spec.indexLink);
    const barrier =
      spec.acknowledge === "COPIED"
        ? new CopiedBarrier({
            policy: spec.name,
            destination: withoutSecrets(spec.destination),
            whenUnreachable: spec.whenUnreachable,
            onChanged: () => this.options.onBlocked(),
          })
        : undefined;
    const removeBarrier = barrier ? index.addBarrier(barrier) : () => {};
    if (!old) {
      this.running.set(spec.name, {
        spec,
        barrier,
        autoBackup: this.open(spec, barrier),
        removeBarrier,
      });
      return;
    }
    // Two do not write to a destination at once.
    const started: Continuous = { spec, barrier, autoBackup: old.autoBackup, removeBarrier };
    this.running.set(spec.name, started);
    old.removeBarrier();
    if (barrier && old.spec.indexLink === spec.indexLink) old.barrier?.handOver(barrier);
    else old.barrier?.close();
    await old.autoBackup.close();
    if (this.running.get(spec.name) === started) started.autoBackup = this.open(spec, barrier);
  }

  /** Stops the backups of a policy; a run under way ends first. Writes no longer wait for them. */
  async stop(name: string): Promise<void> {
    const found = this.running.get(name);
    if (!found) return;
    this.running.delete(name);
    // Its last run may copy the writes that wait.
    await found.autoBackup.close();
    found.removeBarrier();
    found.barrier?.close();
  }

  /** Reports that documents of an index were written. */
  committed(indexLink: string): void {
    for (const { spec, autoBackup } of this.running.values())
      if (spec.indexLink === indexLink) autoBackup.changed();
  }

  /** Undefined: the policy does not run. */
  status(name: string): AutoBackupStatus | undefined {
    return this.running.get(name)?.autoBackup.status();
  }

  /** What happens to writes that cannot be copied at present; undefined if they can. */
  blocked(name: string): BlockedCopies | undefined {
    return this.running.get(name)?.barrier?.blocked();
  }

  /** Pauses the backups to destinations that `isSource` accepts. Resolves with the function that resumes them. */
  async pause(isSource: (destination: string) => boolean): Promise<() => void> {
    const paused = [...this.running.values()].filter(({ spec }) => isSource(spec.destination));
    const resumes = await Promise.all(paused.map(({ autoBackup }) => autoBackup.pause()));
    return () => {
      for (const resume of resumes) resume();
    };
  }

  /** Ends each with a last run if writes are not backed up yet. */
  async close(): Promise<void> {
    await Promise.all([...this.running.keys()].map((name) => this.stop(name)));
  }

  private open(spec: PolicySpec, barrier: CopiedBarrier | undefined): AutoBackup {
    const { options } = this;
    const { platform, registry, temporaryDirectory, trust, verifications } = options;
    const uri = withoutSecrets(spec.destination);
    const containers = { platform, registry, temporaryDirectory, trust };
    const wanted = { destination: spec.destination, container: "DIRECTORY" as const };
    return new AutoBackup({
      platform,
      index: options.indexOf(spec.indexLink),
      destination: uri,
      displayName: uri,
      target: () => resolveTarget(containers, wanted),
      sign: options.sign,
      encryptTo: recipientsOf(spec, options.encryptTo),
      compression: spec.compression,
      temporaryDirectory,
      hostId: options.hostId,
      productVersion: options.productVersion,
      enabled: true,
      // A write that waits for its copy shares the next run with all that wait.
      intervalMs: barrier ? 0 : undefined,
      isDamaged: (manifestSha256) => verifications.isDamaged({ uri, manifestSha256 }),
      written: options.written,
      onCopied: (positionMicros) => this.copied(spec, barrier, positionMicros),
      onRun: (run) => this.ran(spec, barrier, run),
      onBackgroundError: options.onBackgroundError,
    });
  }

  private copied(spec: PolicySpec, barrier: CopiedBarrier | undefined, positionMicros: number) {
    barrier?.performed(positionMicros);
    const uri = withoutSecrets(spec.destination);
    this.options.progress.noteDestination(spec.name, uri, { positionMicros });
  }

  private ran(spec: PolicySpec, barrier: CopiedBarrier | undefined, run: AutoBackupRun): void {
    if (run.outcome === "skipped") return;
    const { progress, history, platform, onFailed, onSucceeded } = this.options;
    const uri = withoutSecrets(spec.destination);
    const timeMicros = platform.nowMicros();
    if (run.outcome === "failed") {
      const { reason, message } = run.error;
      barrier?.failed(message);
      progress.change(spec.name, ({ failures }) => {
        const { sinceMicros = timeMicros } = failures["BACKUP"] ?? {};
        failures["BACKUP"] = { count: run.attempts, sinceMicros, timeMicros, reason, message };
      });
      progress.changeDestination(spec.name, uri, { lastError: message });
      if (run.attempts === 1) onFailed(spec, run.error);
      return;
    }
    const { name, positionMicros, window } = run.backup;
    if (run.foundNone) progress.noteGone(spec.name, uri, timeMicros);
    const failure = progress.of(spec.name).failures["BACKUP"];
    if (failure) void history.add(outage(spec, platform.randomId(), failure, timeMicros));
    progress.note(spec.name, (known) => {
      known.failures = withoutFailure(known, "BACKUP");
      known.lastSuccessMicros = timeMicros;
    });
    progress.noteDestination(spec.name, uri, {
      backupName: name,
      positionMicros,
      lastSuccessMicros: timeMicros,
      lastError: "",
      windowFromMicros: restoresFromMicros(window),
      windowToMicros: window.latestMicros,
    });
    const copies = spec.copies.map(({ destination }) => withoutSecrets(destination));
    progress.noteBehind(spec.name, copies, positionMicros, timeMicros);
    onSucceeded(spec, failure?.count ?? 0);
  }
}

/** A time in which backups failed, as a run: from the first failure to the next backup. */
function outage(
  spec: PolicySpec,
  id: string,
  { sinceMicros, timeMicros, reason, message }: RunFailure,
  endTimeMicros: number,
): PolicyRun {
  const startTimeMicros = Math.min(sinceMicros ?? timeMicros, endTimeMicros);
  return {
    id,
    policy: spec.name,
    kind: "BACKUP",
    reason: "CONTINUOUS",
    state: "FAILED",
    startTimeMicros,
    endTimeMicros,
    steps: [
      {
        kind: "backup",
        destination: withoutSecrets(spec.destination),
        durationMicros: endTimeMicros - startTimeMicros,
        bytes: 0,
        removedBackups: [],
        warnings: [],
        error: { reason, message },
      },
    ],
  };
}

function recipientsOf(
  { recipients }: PolicySpec,
  encryptTo: EncryptTo | undefined,
): EncryptTo | undefined {
  return recipients.length > 0 ? { recipients } : encryptTo;
}

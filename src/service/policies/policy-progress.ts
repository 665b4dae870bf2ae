import { JsonFile } from "../../io/json-file.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { Verification } from "../../backup/verification.js";
import type { PolicyRun } from "./policy-run.js";

/** Result of a restore test. */
export interface RestoreTest {
  /** Microseconds since 1970. */
  timeMicros: number;
  passed: boolean;
  /** What was wrong. Absent: the test passed. */
  problem?: string;
  /** Reason of the error; absent also in tests of before there was one. */
  reason?: string;
  backupName: string;
  documents: number;
  /** Duration of the restore, without the comparison. */
  restoreMicros: number;
  /** Whether the documents were compared with those of the live index. */
  compared: boolean;
}

/** Progress of a policy at one destination. Times in microseconds since 1970, 0: never. */
export interface DestinationProgress {
  /** Of the newest backup. */
  backupName: string;
  positionMicros: number;
  lastSuccessMicros: number;
  /** Empty after a success. */
  lastError: string;
  /** Copies: since when a newer backup waits to be copied. 0: none does. */
  behindSinceMicros: number;
  /** Oldest and newest point in time that the backups restore, without a gap. */
  windowFromMicros: number;
  windowToMicros: number;
  lastVerification?: Verification;
  lastRestoreTest?: RestoreTest;
  /** Of the last restore test that passed and compared. */
  lastProvenRestoreMicros: number;
  /** When the backups were found to be gone. Absent: they were not, or those since have been verified. */
  goneMicros?: number | undefined;
}

/** Why runs of one kind fail. */
export interface RunFailure {
  count: number;
  /** Continuous: when the first of them failed. */
  sinceMicros?: number;
  timeMicros: number;
  reason: string;
  message: string;
}

/** What a policy has done. Times in microseconds since 1970, 0: never. */
export interface PolicyProgress {
  /** When the host first saw a policy of its file, from which intervals and ages count. Absent: at its creation. */
  sinceMicros?: number;
  /** Planned time of the last run of each task that has ended, in milliseconds, by the key of the task. */
  lastDueMs: Record<string, number>;
  /** The run under way; after a kill, the one that was interrupted. */
  running?: PolicyRun;
  /** Of the last backup. */
  lastSuccessMicros: number;
  /** Kinds of runs that failed last, with the number of failures in a row. */
  failures: Record<string, RunFailure>;
  skippedRuns: number;
  missedRuns: number;
  /** By URI, without credentials. */
  destinations: Record<string, DestinationProgress>;
}

const emptyProgress = (): PolicyProgress => ({
  lastDueMs: {},
  lastSuccessMicros: 0,
  failures: {},
  skippedRuns: 0,
  missedRuns: 0,
  destinations: {},
});

const emptyDestination = (): DestinationProgress => ({
  backupName: "",
  positionMicros: 0,
  lastSuccessMicros: 0,
  lastError: "",
  behindSinceMicros: 0,
  windowFromMicros: 0,
  windowToMicros: 0,
  lastProvenRestoreMicros: 0,
});

/** Options of PolicyProgressFile.open. */
export interface PolicyProgressOptions {
  platform: Pick<Platform, "files" | "randomHex">;
  path: string;
  /** Called if the file cannot be read or written. Policies continue; after a restart, they may run once more. */
  onProblem(error: unknown): void;
}

/** The progress of all policies, in one file. Changes are written together, in the background. */
export class PolicyProgressFile {
  private writing: Promise<void> | undefined;
  private dirty = false;
  private later: NodeJS.Timeout | undefined;

  private constructor(
    private readonly options: PolicyProgressOptions,
    private readonly file: JsonFile<Record<string, PolicyProgress>>,
    private readonly known: Map<string, PolicyProgress>,
  ) {}

  /** Reads the file. Starts without progress if it cannot be read. */
  static async open(options: PolicyProgressOptions): Promise<PolicyProgressFile> {
    const { platform, path, onProblem } = options;
    const file = new JsonFile<Record<string, PolicyProgress>>({
      platform,
      path,
      maxBytes: limits.policyFileBytes,
      parse: (value) =>
        typeof value === "object" && value !== null && Object.values(value).every(isProgress)
          ? (value as Record<string, PolicyProgress>)
          : undefined,
    });
    const content = await file.read();
    if ("error" in content) onProblem(content.error);
    if (content.state === "invalid") await file.quarantine();
    const known = content.state === "read" ? Object.entries(content.value) : [];
    return new PolicyProgressFile(options, file, new Map(known));
  }

  /** Returns the progress of a policy, which must only be changed by `change`. */
  of(policy: string): PolicyProgress {
    return this.known.get(policy) ?? emptyProgress();
  }

  /** Changes the progress of a policy. */
  change(policy: string, work: (progress: PolicyProgress) => void): void {
    this.apply(policy, work);
    this.writeSoon();
  }

  /** The same for changes that are too frequent to write each of them. */
  note(policy: string, work: (progress: PolicyProgress) => void): void {
    this.apply(policy, work);
    this.later ??= setTimeout(() => this.writeSoon(), limits.policyProgressMs).unref();
  }

  /** Changes the progress of a policy at a destination. */
  changeDestination(policy: string, uri: string, change: Partial<DestinationProgress>): void {
    this.change(policy, at(uri, change));
  }

  /** The same for changes that are too frequent to write each of them. */
  noteDestination(policy: string, uri: string, change: Partial<DestinationProgress>): void {
    this.note(policy, at(uri, change));
  }

  /** After the clock went back, ages and lags are counted from when that was noticed, and not from a future time. */
  noteClock(policy: string, nowMicros: number): void {
    const { lastSuccessMicros, destinations } = this.of(policy);
    if (lastSuccessMicros > nowMicros)
      this.change(policy, (progress) => (progress.lastSuccessMicros = nowMicros));
    for (const [uri, { behindSinceMicros }] of Object.entries(destinations))
      if (behindSinceMicros > nowMicros)
        this.changeDestination(policy, uri, { behindSinceMicros: nowMicros });
  }

  /** Notes that backups of a destination are gone, and forgets what was proven of them. Does nothing before the first one. */
  noteGone(policy: string, uri: string, nowMicros: number): void {
    if (!this.of(policy).destinations[uri]?.backupName) return;
    this.change(policy, ({ destinations }) => {
      const { lastVerification, lastRestoreTest, ...known } = {
        ...emptyDestination(),
        ...destinations[uri],
      };
      destinations[uri] = { ...known, lastProvenRestoreMicros: 0, goneMicros: nowMicros };
    });
  }

  /** Notes which copies do not have the backup up to a position yet. */
  noteBehind(
    policy: string,
    copies: readonly string[],
    positionMicros: number,
    nowMicros: number,
  ): void {
    const known = this.of(policy).destinations;
    for (const uri of copies) {
      const { positionMicros: copied = 0, behindSinceMicros = 0 } = known[uri] ?? {};
      if (copied < positionMicros && behindSinceMicros === 0)
        this.noteDestination(policy, uri, { behindSinceMicros: nowMicros });
    }
  }

  /** Forgets destinations that a policy no longer has. */
  keepDestinations(policy: string, uris: readonly string[]): void {
    this.change(policy, (progress) => {
      const kept = Object.entries(progress.destinations).filter(([uri]) => uris.includes(uri));
      progress.destinations = Object.fromEntries(kept);
    });
  }

  remove(policy: string): void {
    this.known.delete(policy);
    this.writeSoon();
  }

  /** Resolves when all changes are durable, or reported to onProblem. */
  async settled(): Promise<void> {
    if (this.later !== undefined) this.writeSoon();
    while (this.writing) await this.writing;
  }

  private apply(policy: string, work: (progress: PolicyProgress) => void): void {
    const progress = this.of(policy);
    work(progress);
    this.known.set(policy, progress);
  }

  private writeSoon(): void {
    clearTimeout(this.later);
    this.later = undefined;
    this.dirty = true;
    this.writing ??= this.write().finally(() => {
      this.writing = undefined;
    });
  }

  private async write(): Promise<void> {
    while (this.dirty) {
      this.dirty = false;
      // The changes of one turn of the event loop, and those during a write, are written together.
      await Promise.resolve();
      await this.file.write(Object.fromEntries(this.known)).catch(this.options.onProblem);
    }
  }
}

/** Returns failures without those of a kind of runs, which has succeeded. */
export function withoutFailure(
  { failures }: PolicyProgress,
  kind: string,
): PolicyProgress["failures"] {
  const { [kind]: _ended, ...others } = failures;
  return others;
}

function at(uri: string, change: Partial<DestinationProgress>) {
  return ({ destinations }: PolicyProgress) => {
    destinations[uri] = { ...emptyDestination(), ...destinations[uri], ...change };
  };
}

function isProgress(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { lastDueMs, failures, destinations } = value as Partial<PolicyProgress>;
  return [lastDueMs, failures, destinations].every(
    (one) => typeof one === "object" && one !== null,
  );
}

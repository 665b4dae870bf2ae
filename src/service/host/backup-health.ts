import { limits } from "../../limits.js";
import type { BackupHealth, BackupRecord } from "./description.js";

/** Input of the health check of backups. Times are in microseconds. */
export interface BackupFacts {
  nowMicros: number;
  /** Start time of the host. */
  startMicros: number;
  /** Maximum age of the newest successful backup; 0 for no limit. */
  maxAgeMicros: number;
  indexLink: string;
  hasDocuments: boolean;
  records: readonly BackupRecord[];
  /** Error of automatic backups; undefined if they succeed or are disabled. */
  autoBackupProblem: string | undefined;
  /** Problems of policies, each with the name of its policy. */
  policyProblems: readonly string[];
  /**
   * Last time at which the automatic backup was up to date, 0 if never: without writes, no newer
   * backup is needed.
   */
  currentMicros: number;
}

/** Evaluates the health of backups. */
export function backupHealth(facts: BackupFacts): BackupHealth {
  const problems = [
    facts.autoBackupProblem === undefined
      ? undefined
      : `Automatic backups are failing: ${facts.autoBackupProblem}`,
    ageProblem(facts),
    ...policyProblems(facts),
  ];
  const problem = problems.filter((one) => one !== undefined).join(" ");
  return { healthy: problem === "", problem };
}

/** Each policy shows all of its problems itself. */
function policyProblems({ policyProblems: all }: BackupFacts): string[] {
  const shown = all.slice(0, limits.healthProblems);
  const more = all.length - shown.length;
  return more === 0 ? shown : [...shown, `${more} more problems; see holdfast policy list.`];
}

function ageProblem({
  nowMicros,
  startMicros,
  maxAgeMicros,
  indexLink,
  hasDocuments,
  records,
  currentMicros,
}: BackupFacts): string | undefined {
  if (maxAgeMicros === 0) return undefined;
  const own = records.filter((record) => record.indexLink === indexLink);
  const newestMicros = own.reduce(
    (newest, { lastSuccessMicros }) => Math.max(newest, lastSuccessMicros),
    currentMicros,
  );
  const allowed = `the limit is ${spanText(maxAgeMicros)} (--backup-max-age)`;
  // The last error of the index may explain the problem.
  const failed = own
    .filter(
      ({ lastFailureMicros, lastError }) => lastError !== "" && lastFailureMicros > newestMicros,
    )
    .sort((a, b) => b.lastFailureMicros - a.lastFailureMicros)[0];
  const why = failed
    ? ` The last backup, to ${failed.destination}, failed: ${failed.lastError}`
    : "";
  if (newestMicros > 0) {
    const ageMicros = nowMicros - newestMicros;
    return ageMicros > maxAgeMicros
      ? `The newest successful backup of ${indexLink} is ${spanText(ageMicros)} old; ${allowed}.${why}`
      : undefined;
  }
  const upMicros = nowMicros - startMicros;
  if (!hasDocuments || upMicros <= maxAgeMicros) return undefined;
  return `No successful backup of ${indexLink} exists, and the host has been up for ${spanText(upMicros)}; ${allowed}.${why}`;
}

/**
 * Formats a duration in the largest unit with a value of at least 2, rounded down: "90 minutes"
 * rather than "1 hour".
 */
export function spanText(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000);
  const units = [
    ["days", 86_400],
    ["hours", 3600],
    ["minutes", 60],
  ] as const;
  for (const [name, length] of units)
    if (seconds >= 2 * length) return `${Math.floor(seconds / length)} ${name}`;
  return `${seconds} seconds`;
}

/** Dependencies of watchBackupHealth. */
export interface BackupHealthOptions {
  facts(): Omit<
    BackupFacts,
    "hasDocuments" | "autoBackupProblem" | "policyProblems" | "currentMicros"
  >;
  hasDocuments(): Promise<boolean>;
  /** Whether automatic backups are enabled and up to date. */
  autoBackupCurrent(): boolean;
  onChange(health: BackupHealth): void;
  onBackgroundError(error: unknown): void;
}

/** Monitors the health of backups, periodically if they have a maximum age. */
export interface BackupHealthWatch {
  /** Checks the health now. */
  check(): Promise<BackupHealth>;
  /** Reports the error of automatic backups, or undefined when they succeed again. */
  autoBackup(problem: string | undefined): void;
  /** Reports the problems of policies, each with the name of its policy. */
  policies(problems: readonly string[]): void;
  /** Reports that a backup succeeded or failed. */
  changed(): void;
  /** Stops monitoring. */
  close(): void;
}

/** Starts monitoring. `onChange` is called when the health changes; it is healthy at first. */
export function watchBackupHealth({
  facts,
  hasDocuments,
  autoBackupCurrent,
  onChange,
  onBackgroundError,
}: BackupHealthOptions): BackupHealthWatch {
  let autoBackupProblem: string | undefined;
  let policyProblems: readonly string[] = [];
  let currentMicros = 0;
  let wasHealthy = true;
  /** Only a restore can empty an index with documents; a backup is still needed then. */
  let documentsSeen = false;
  let closed = false;

  async function check(): Promise<BackupHealth> {
    documentsSeen ||= await hasDocuments();
    const known = facts();
    if (autoBackupCurrent()) currentMicros = known.nowMicros;
    const health = backupHealth({
      ...known,
      hasDocuments: documentsSeen,
      autoBackupProblem,
      policyProblems,
      currentMicros,
    });
    if (!closed && health.healthy !== wasHealthy) {
      wasHealthy = health.healthy;
      onChange(health);
    }
    return health;
  }
  const checkInBackground = () =>
    void check().catch((error: unknown) => (closed ? undefined : onBackgroundError(error)));
  const timer =
    facts().maxAgeMicros > 0
      ? setInterval(checkInBackground, limits.backupAgeCheckMs).unref()
      : undefined;

  return {
    check,
    autoBackup(problem) {
      autoBackupProblem = problem;
      checkInBackground();
    },
    policies(problems) {
      policyProblems = problems;
      checkInBackground();
    },
    changed: checkInBackground,
    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}

import { limits } from "../../limits.js";
import type { BackupHealth, BackupRecord } from "../backups/management-service.js";

/** What says whether backups of an index are as they should be. Times in microseconds. */
export interface BackupFacts {
  nowMicros: number;
  /** Since when the host is up. */
  startMicros: number;
  /** How old the newest good backup may be; 0: as old as it likes. */
  maxAgeMicros: number;
  indexLink: string;
  hasDocuments: boolean;
  records: readonly BackupRecord[];
  /** Why automatic backups fail; undefined where they go well or are off. */
  autoBackupProblem: string | undefined;
  /** When an automatic backup was last seen to have everything that was written: a host that nobody writes to needs no newer one. 0: never. */
  currentMicros: number;
}

export function backupHealth(facts: BackupFacts): BackupHealth {
  const problems = [
    facts.autoBackupProblem === undefined
      ? undefined
      : `Automatic backups fail: ${facts.autoBackupProblem}`,
    ageProblem(facts),
  ];
  const problem = problems.filter((one) => one !== undefined).join(" ");
  return { healthy: problem === "", problem };
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
  const allowed = `${spanText(maxAgeMicros)} are allowed (--backup-max-age)`;
  // The last error of the index may tell why there is none.
  const failed = own
    .filter(
      ({ lastFailureMicros, lastError }) => lastError !== "" && lastFailureMicros > newestMicros,
    )
    .sort((a, b) => b.lastFailureMicros - a.lastFailureMicros)[0];
  const why = failed ? ` The last one, to ${failed.destination}, failed: ${failed.lastError}` : "";
  if (newestMicros > 0) {
    const ageMicros = nowMicros - newestMicros;
    return ageMicros > maxAgeMicros
      ? `The newest good backup of ${indexLink} is ${spanText(ageMicros)} old, and ${allowed}.${why}`
      : undefined;
  }
  const upMicros = nowMicros - startMicros;
  if (!hasDocuments || upMicros <= maxAgeMicros) return undefined;
  return `There is no good backup of ${indexLink}, the host has been up for ${spanText(upMicros)}, and ${allowed}.${why}`;
}

/** A span in its greatest whole unit, rounded down: 90 minutes, not 1 hour. */
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

export interface BackupHealthOptions {
  facts(): Omit<BackupFacts, "hasDocuments" | "autoBackupProblem" | "currentMicros">;
  hasDocuments(): Promise<boolean>;
  /** Whether automatic backups are on and the last one has everything that was written. */
  autoBackupCurrent(): boolean;
  onChange(health: BackupHealth): void;
  onBackgroundError(error: unknown): void;
}

/** Looks at backups from time to time, where they may become too old, and tells when their health changes. */
export interface BackupHealthWatch {
  /** As it is now. */
  look(): Promise<BackupHealth>;
  /** Automatic backups fail, for this reason, or go well again. */
  autoBackup(problem: string | undefined): void;
  /** Something was backed up, or failed to be. */
  changed(): void;
  close(): void;
}

export function watchBackupHealth({
  facts,
  hasDocuments,
  autoBackupCurrent,
  onChange,
  onBackgroundError,
}: BackupHealthOptions): BackupHealthWatch {
  let autoBackupProblem: string | undefined;
  let currentMicros = 0;
  let wasHealthy = true;
  /** Once there are some it takes a restore to have none: then a backup is as wanted. */
  let documentsSeen = false;
  let closed = false;

  async function look(): Promise<BackupHealth> {
    documentsSeen ||= await hasDocuments();
    const known = facts();
    if (autoBackupCurrent()) currentMicros = known.nowMicros;
    const health = backupHealth({
      ...known,
      hasDocuments: documentsSeen,
      autoBackupProblem,
      currentMicros,
    });
    if (!closed && health.healthy !== wasHealthy) {
      wasHealthy = health.healthy;
      onChange(health);
    }
    return health;
  }
  const lookLater = () =>
    void look().catch((error: unknown) => (closed ? undefined : onBackgroundError(error)));
  const timer =
    facts().maxAgeMicros > 0 ? setInterval(lookLater, limits.backupAgeCheckMs).unref() : undefined;

  return {
    look,
    autoBackup(problem) {
      autoBackupProblem = problem;
      lookLater();
    },
    changed: lookLater,
    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}

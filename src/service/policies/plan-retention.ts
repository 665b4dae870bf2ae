import type { RestorableWindow } from "../../engine/engine.js";
import type { BackupListing } from "../../backup/listing.js";
import type { BackupDescription } from "../../segment/description.js";
import type { PolicySpec } from "../../policy/policy.js";
import {
  decideRetention,
  type RetainedBackup,
  type RetentionDecision,
} from "../../policy/retention.js";
import { windowCoveredMs } from "../../policy/window.js";

/** What retention does with one backup. */
export interface PlannedBackup extends RetentionDecision {
  createTimeMicros: number;
}

/** What retention does at a destination. */
export interface RetentionPlan {
  /** Newest first. */
  decisions: PlannedBackup[];
  /** Oldest point in time that the backups restore, without a gap. 0: they have the complete history. */
  windowFromMicros: number;
  /** Newest point in time that they restore. 0: there are no backups. */
  windowToMicros: number;
}

/**
 * Decides which backups of the index of a policy stay. Backups of other indexes and other hosts, and
 * what is not a backup, are not decided on. A backup in which damage was found stays, and
 * keeps no other one from staying: an operator may still want what is left of it.
 */
export function planRetention(
  listings: readonly BackupListing[],
  spec: Pick<PolicySpec, "indexLink" | "retention" | "windowMs" | "timeZone">,
  ownIndexIds: readonly string[],
  nowMicros: number,
): RetentionPlan {
  const own = listings.filter(
    (one): one is DescribedBackup =>
      (one.state === "COMPLETE" || one.state === "DAMAGED") &&
      one.backup !== undefined &&
      one.backup.indexLink === spec.indexLink &&
      ownIndexIds.includes(one.backup.indexId),
  );
  const nowMs = Math.floor(nowMicros / 1000);
  const undamaged = own.filter((one) => one.state === "COMPLETE" && !isDamaged(one));
  const intact = undamaged.map(toRetained);
  const decided = new Map(
    decideRetention(intact, spec.retention ?? {}, {
      nowMs,
      timeZone: spec.timeZone,
      ...(spec.windowMs !== undefined && { windowMs: spec.windowMs }),
    }).map((decision) => [decision.name, decision]),
  );
  const ended = endedHistories(undamaged, nowMicros - (spec.windowMs ?? 0) * 1000);
  const newestMicros = Math.max(0, ...intact.map(({ coversToMicros }) => Number(coversToMicros)));
  return {
    decisions: own.map(({ name, backup }) => {
      const decision = decided.get(name) ?? { name, keep: true, reasons: ["damaged"] };
      return {
        ...(ended.has(name) ? keptFor("newest of an earlier history", decision) : decision),
        createTimeMicros: backup.createTimeMicros,
      };
    }),
    windowFromMicros: Math.max(0, newestMicros - windowCoveredMs(intact, nowMs) * 1000),
    windowToMicros: newestMicros,
  };
}

/** A backup whose manifest can be read. */
type DescribedBackup = BackupListing & { backup: BackupDescription };

/**
 * Returns the names of the newest backups of histories that a restore ended in the window. Only they restore
 * what was written between the point in time of the restore and the restore.
 */
function endedHistories(
  newestFirst: readonly DescribedBackup[],
  sinceMicros: number,
): ReadonlySet<string> {
  const seen = new Set<string>();
  const ended = new Set<string>();
  for (const { name, backup } of newestFirst) {
    const isCurrent = seen.size === 0;
    if (seen.has(backup.lineage)) continue;
    seen.add(backup.lineage);
    if (!isCurrent && backup.window.latestMicros >= sinceMicros) ended.add(name);
  }
  return ended;
}

const keptFor = (
  reason: string,
  { name, keep, reasons }: RetentionDecision,
): RetentionDecision => ({
  name,
  keep: true,
  reasons: [...(keep ? reasons : []), reason],
});

/** Whether this host read data of the backup since it was written, and found it whole. */
const isVerified = (last: BackupListing["lastVerification"]) =>
  last?.passed === true && last.level !== "METADATA" && last.hostId === undefined;

/** Whether this host found damage: what is beside a backup, others can change. */
const isDamaged = ({ lastVerification }: BackupListing) =>
  lastVerification?.passed === false && lastVerification.hostId === undefined;

function toRetained({
  name,
  backup,
  lastVerification,
  pinned = false,
}: DescribedBackup): RetainedBackup {
  return {
    name,
    coversFromMicros: BigInt(restoresFromMicros(backup.window)),
    coversToMicros: BigInt(backup.window.latestMicros),
    series: backup.indexId,
    verified: isVerified(lastVerification),
    pinned,
  };
}

/**
 * Returns the oldest point in time of a restorable window. 0: a log from which nothing was removed restores
 * every point in time.
 */
export function restoresFromMicros({
  earliestMicros,
  historyStartMicros,
}: RestorableWindow): number {
  return earliestMicros <= historyStartMicros ? 0 : earliestMicros;
}

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
 * what is not a complete backup, are not decided on. A backup in which damage was found stays, and
 * keeps no other one from staying: an operator may still want what is left of it.
 */
export function planRetention(
  listings: readonly BackupListing[],
  spec: Pick<PolicySpec, "indexLink" | "retention" | "windowMs" | "timeZone">,
  ownIndexIds: readonly string[],
  nowMicros: number,
): RetentionPlan {
  const own = listings.filter(
    (one): one is CompleteBackup =>
      one.state === "COMPLETE" &&
      one.backup !== undefined &&
      one.backup.indexLink === spec.indexLink &&
      ownIndexIds.includes(one.backup.indexId),
  );
  const nowMs = Math.floor(nowMicros / 1000);
  const intact = own.filter((one) => !isDamaged(one)).map(toRetained);
  const decided = new Map(
    decideRetention(intact, spec.retention ?? {}, {
      nowMs,
      timeZone: spec.timeZone,
      ...(spec.windowMs !== undefined && { windowMs: spec.windowMs }),
    }).map((decision) => [decision.name, decision]),
  );
  const newestMicros = Math.max(0, ...intact.map(({ coversToMicros }) => Number(coversToMicros)));
  return {
    decisions: own.map(({ name, backup }) => ({
      name,
      keep: true,
      reasons: ["damaged"],
      ...decided.get(name),
      createTimeMicros: backup.createTimeMicros,
    })),
    windowFromMicros: Math.max(0, newestMicros - windowCoveredMs(intact, nowMs) * 1000),
    windowToMicros: newestMicros,
  };
}

/** A complete backup. */
type CompleteBackup = BackupListing & { backup: BackupDescription };

/** Whether this host found damage: what is beside a backup, others can change. */
const isDamaged = ({ lastVerification }: BackupListing) =>
  lastVerification?.passed === false && lastVerification.hostId === undefined;

function toRetained({ name, backup, pinned = false }: CompleteBackup): RetainedBackup {
  return {
    name,
    coversFromMicros: BigInt(restoresFromMicros(backup.window)),
    coversToMicros: BigInt(backup.window.latestMicros),
    series: backup.indexId,
    // A backup is verified when it is written, and damaged ones are not retained.
    verified: true,
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

import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { periodsOf, type Period } from "./calendar.js";
import { durationText } from "./duration.js";

/** A complete backup as retention sees it. Times are in microseconds since 1970. */
export interface RetainedBackup {
  name: string;
  /** Newest point in time that it restores, which decides its hour, day and so on. */
  coversToMicros: bigint;
  /** Oldest point in time that it restores. */
  coversFromMicros: bigint;
  /** Backups of different series, for example of different indexes, are decided apart. */
  series: string;
  verified: boolean;
  pinned: boolean;
  /** Names of other backups that this one cannot be restored without. Default: none. */
  needs?: readonly string[];
}

/**
 * Which backups to keep, as restic defines these rules: `keepDaily: 7` keeps the newest backup of each of
 * the last 7 days that have one. `keepWithinMs` keeps all that are at most this much older than the
 * newest. Without any rule, all are kept.
 */
export interface RetentionRules {
  keepLast?: number;
  keepHourly?: number;
  keepDaily?: number;
  keepWeekly?: number;
  keepMonthly?: number;
  keepYearly?: number;
  keepWithinMs?: number;
}

/** Whether a backup stays, with every reason for it. */
export interface RetentionDecision {
  name: string;
  keep: boolean;
  /** For example `daily 2026-11-29`, `pinned` or `matches no rule`. */
  reasons: string[];
}

/** Circumstances of a decision. */
export interface RetentionContext {
  nowMs: number;
  /** Time zone of hours, days and so on. */
  timeZone: string;
  /** How far back a restore must be possible. Default: no promise. */
  windowMs?: number;
}

const counted: readonly [keyof RetentionRules, string, Period][] = [
  ["keepHourly", "hourly", "hour"],
  ["keepDaily", "daily", "day"],
  ["keepWeekly", "weekly", "week"],
  ["keepMonthly", "monthly", "month"],
  ["keepYearly", "yearly", "year"],
];

/** Throws REQUEST_INVALID, with the field in the metadata, for a count out of range. */
export function checkRetention(rules: RetentionRules, field: string): void {
  for (const [rule, value] of Object.entries(rules)) {
    if (rule === "keepWithinMs") continue;
    if (Number.isInteger(value) && value >= 1 && value <= limits.retentionKeepMax) continue;
    const name = `${field}.${rule.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
    throw new HostError(
      "REQUEST_INVALID",
      `${name}: must be a whole number from 1 to ${limits.retentionKeepMax}.`,
      { metadata: { field: name } },
    );
  }
}

/**
 * Decides which backups stay; the decisions are in the order of `backups`. Of each series, the newest
 * backup, the newest verified one, pinned ones, and what they need always stay, and so does what a
 * restore within the window needs. Deciding again on what stays removes nothing.
 */
export function decideRetention(
  backups: readonly RetainedBackup[],
  rules: RetentionRules,
  context: RetentionContext,
): RetentionDecision[] {
  const reasons = new Map<string, string[]>();
  for (const series of seriesOf(backups)) {
    const keep = (backup: RetainedBackup, reason: string) => {
      reasons.set(backup.name, [...(reasons.get(backup.name) ?? []), reason]);
    };
    applyRules(series, rules, context, keep);
    keepWindow(series, context, (name) => reasons.has(name), keep);
    keepNeeded(series, reasons);
  }
  return backups.map(({ name }) => {
    const found = reasons.get(name);
    return { name, keep: found !== undefined, reasons: found ?? ["matches no rule"] };
  });
}

type Keep = (backup: RetainedBackup, reason: string) => void;

/** Newest first; the order of equal times is that of their names. */
function seriesOf(backups: readonly RetainedBackup[]): RetainedBackup[][] {
  const groups = new Map<string, RetainedBackup[]>();
  for (const backup of backups) {
    const group = groups.get(backup.series);
    if (group) group.push(backup);
    else groups.set(backup.series, [backup]);
  }
  return [...groups.values()].map((group) => group.sort(byNewest));
}

function byNewest(a: RetainedBackup, b: RetainedBackup): number {
  if (a.coversToMicros !== b.coversToMicros) return a.coversToMicros > b.coversToMicros ? -1 : 1;
  return a.name > b.name ? -1 : 1;
}

const toMs = (micros: bigint) => Number(micros / 1000n);

function applyRules(
  newestFirst: readonly RetainedBackup[],
  rules: RetentionRules,
  { nowMs, timeZone }: RetentionContext,
  keep: Keep,
): void {
  const [newest] = newestFirst;
  if (!newest) return;
  keep(newest, "newest");
  const verified = newestFirst.find((backup) => backup.verified);
  if (verified) keep(verified, "newest verified");
  const hasRules = Object.values(rules).some((value) => value !== undefined);
  const { keepLast = 0, keepWithinMs = 0 } = rules;
  const oldestWithin = toMs(newest.coversToMicros) - keepWithinMs;
  for (const [i, backup] of newestFirst.entries()) {
    const timeMs = toMs(backup.coversToMicros);
    if (backup.pinned) keep(backup, "pinned");
    if (!hasRules) keep(backup, "no retention rules");
    // A clock that was wrong must not remove backups.
    if (timeMs > nowMs) keep(backup, "in the future");
    if (i < keepLast) keep(backup, `last ${keepLast}`);
    if (keepWithinMs > 0 && timeMs >= oldestWithin)
      keep(backup, `within ${durationText(keepWithinMs)}`);
  }
  const rest = new Map(counted.map(([rule]) => [rule, rules[rule] ?? 0]));
  const last = new Map<Period, string>();
  for (const backup of newestFirst) {
    if ([...rest.values()].every((count) => count === 0)) return;
    const periods = periodsOf(toMs(backup.coversToMicros), timeZone);
    for (const [rule, adverb, period] of counted) {
      const left = rest.get(rule) ?? 0;
      if (left === 0 || last.get(period) === periods[period]) continue;
      last.set(period, periods[period]);
      rest.set(rule, left - 1);
      keep(backup, `${adverb} ${periods[period]}`);
    }
  }
}

/**
 * Keeps what restores within the window need beyond what stays anyway: from the newest point in time
 * backwards, the backup that reaches back furthest.
 */
function keepWindow(
  newestFirst: readonly RetainedBackup[],
  { nowMs, windowMs }: RetentionContext,
  isKept: (name: string) => boolean,
  keep: Keep,
): void {
  const [newest] = newestFirst;
  if (!newest || windowMs === undefined) return;
  const start = BigInt(nowMs - windowMs) * 1000n;
  const kept = newestFirst.filter(({ name }) => isKept(name));
  const others = newestFirst.filter(({ name }) => !isKept(name));
  let from = newest.coversToMicros;
  // Both lists are sorted, so that each backup is looked at once.
  for (let i = 0, j = 0; ;) {
    for (let one = kept[j]; one && one.coversToMicros >= from; one = kept[(j += 1)])
      if (one.coversFromMicros < from) from = one.coversFromMicros;
    if (from <= start) return;
    let best: RetainedBackup | undefined;
    for (let one = others[i]; one && one.coversToMicros >= from; one = others[(i += 1)])
      if (best === undefined || one.coversFromMicros < best.coversFromMicros) best = one;
    if (best === undefined || best.coversFromMicros >= from) return;
    keep(best, "covers the window");
    from = best.coversFromMicros;
  }
}

/** Returns the oldest point in time that is covered without a gap up to `to`. */
function coveredFrom(newestFirst: readonly RetainedBackup[], to: bigint): bigint {
  let from = to;
  for (const { coversFromMicros, coversToMicros } of newestFirst) {
    if (coversToMicros < from) return from;
    if (coversFromMicros < from) from = coversFromMicros;
  }
  return from;
}

function keepNeeded(series: readonly RetainedBackup[], reasons: Map<string, string[]>): void {
  const byName = new Map(series.map((backup) => [backup.name, backup]));
  const queue = series.filter(({ name }) => reasons.has(name));
  for (let backup = queue.pop(); backup !== undefined; backup = queue.pop()) {
    for (const name of backup.needs ?? []) {
      const needed = byName.get(name);
      if (!needed || reasons.has(name)) continue;
      reasons.set(name, [`needed by ${backup.name}`]);
      queue.push(needed);
    }
  }
}

/**
 * Returns how far back from the newest backup a restore is possible without a gap, in milliseconds. The
 * time since the newest backup counts too: until the next one, points in time after it are restored from
 * the live index. 0 without backups.
 */
export function windowCoveredMs(backups: readonly RetainedBackup[], nowMs: number): number {
  const newestFirst = [...backups].sort(byNewest);
  const [newest] = newestFirst;
  if (!newest) return 0;
  return Math.max(0, nowMs - toMs(coveredFrom(newestFirst, newest.coversToMicros)));
}

import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { Calendar, type Periods } from "./calendar.js";
import { durationText } from "./duration.js";
import { coverWindow } from "./window.js";

/** A complete backup as retention sees it. */
export interface RetainedBackup {
  /** Unique among the backups that are decided together. */
  name: string;
  /** Point in time the backup covers up to: decides its hour, day, … Microseconds since 1970. */
  coversToMicros: bigint;
  /** Oldest point in time that it restores. Microseconds since 1970. */
  coversFromMicros: bigint;
  /** Backups of different series (an index and its lineage owner) are decided apart. */
  series: string;
  verified: boolean;
  pinned: boolean;
  /** Names of other backups that this one cannot be restored without. Default: none. */
  needs?: readonly string[];
}

/** Which backups to keep. A backup is kept if any rule matches it. Default of each rule: not set. */
export interface RetentionRules {
  /** The newest backups, by count; pinned ones are not counted. */
  keepLast?: number;
  /** The newest backup of each of this many hours that have a backup. The others alike. */
  keepHourly?: number;
  keepDaily?: number;
  /** ISO weeks, from Monday to Sunday. */
  keepWeekly?: number;
  keepMonthly?: number;
  keepYearly?: number;
  /** All backups up to this long before the newest one. */
  keepWithinMs?: number;
}

/** Whether to keep a backup. */
export interface RetentionDecision {
  name: string;
  keep: boolean;
  /** Why, at least one: "last 3", "daily 2026-11-29", "pinned", …, or "matches no rule". */
  reasons: string[];
}

/** When and where retention decides. */
export interface RetentionContext {
  /** Milliseconds since 1970. */
  nowMs: number;
  /** Zone of the calendar periods, which checkTimeZone accepts. */
  timeZone: string;
  /** How far back from now a restore must be possible. Default: no window. */
  windowMs?: number;
}

/** The calendar rules: their period, and its name in reasons and in the fields of errors. */
const calendarRules = [
  ["keepHourly", "hour", "hourly"],
  ["keepDaily", "day", "daily"],
  ["keepWeekly", "week", "weekly"],
  ["keepMonthly", "month", "monthly"],
  ["keepYearly", "year", "yearly"],
] as const satisfies readonly (readonly [keyof RetentionRules, keyof Periods, string])[];

/**
 * Throws REQUEST_INVALID unless each rule that is set is a count from 1 to limits.retentionKeepMax, or
 * for keepWithinMs a duration up to 100 years. The message begins with the rule at fault, for example
 * `FIELD.keep_last`, which is also in the metadata.
 */
export function checkRetention(rules: RetentionRules, field: string): void {
  const counts = [["keepLast", "", "last"] as const, ...calendarRules];
  for (const [rule, , name] of counts)
    checkCount(rules[rule], `${field}.keep_${name}`, limits.retentionKeepMax);
  const within = rules.keepWithinMs;
  if (
    within !== undefined &&
    !(Number.isSafeInteger(within) && within >= 1 && within <= limits.durationMaxMs)
  )
    throw invalid(
      `${field}.keep_within`,
      `invalid duration of ${within} ms: must be 1ms to 100y, for example 7d`,
    );
}

/**
 * Decides which backups to keep. Returns one decision per backup, in the order given.
 *
 * The rules work as in restic. A calendar rule keeps the newest backup of each of the last N periods
 * that have one, and the oldest backup too while there are fewer than N. Backups later than now are
 * kept, and no rule counts them. Without any rule, all backups are kept.
 *
 * Pinned backups and, of each series, the newest and the newest verified one are always kept; so is
 * each backup that a kept one needs. With a window, as few further backups are kept as its points in
 * time require that some backup restores now.
 */
export function decideRetention(
  backups: readonly RetainedBackup[],
  rules: RetentionRules,
  context: RetentionContext,
): RetentionDecision[] {
  const decision = new Decision(backups);
  const ruled = Object.values(rules).some((value) => value !== undefined);
  if (!ruled) for (const backup of backups) decision.keep(backup, "no retention rules");
  else {
    const series = sortedSeries(backups);
    const calendar = new Calendar(context.timeZone);
    for (const list of series) keepByRules(list, rules, calendar, context.nowMs, decision);
    const windowMs = context.windowMs;
    if (windowMs !== undefined)
      for (const list of series)
        coverWindow(
          list,
          BigInt(Math.floor(context.nowMs - windowMs)) * 1000n,
          (backup) => decision.isKept(backup),
          (backup) => decision.keep(backup, "covers the window"),
        );
  }
  return backups.map((backup) => decision.of(backup));
}

/** The reasons collected so far. */
class Decision {
  readonly #byName: ReadonlyMap<string, RetainedBackup>;
  readonly #reasons = new Map<string, string[]>();

  constructor(backups: readonly RetainedBackup[]) {
    this.#byName = new Map(backups.map((backup) => [backup.name, backup]));
  }

  isKept(backup: RetainedBackup): boolean {
    return this.#reasons.has(backup.name);
  }

  /** Keeps a backup and those it needs. Backups that are needed but do not exist are ignored. */
  keep(backup: RetainedBackup, reason: string): void {
    const reasons = this.#reasons.get(backup.name);
    if (reasons) {
      reasons.push(reason);
      return;
    }
    this.#reasons.set(backup.name, [reason]);
    // What a backup needs is followed once, so that circles end. A stack, because chains are long.
    const open = [backup];
    for (let next = open.pop(); next !== undefined; next = open.pop())
      for (const name of next.needs ?? []) {
        const needed = this.#byName.get(name);
        // One reason is enough: thousands of backups may need the same one.
        if (!needed || this.isKept(needed)) continue;
        this.#reasons.set(name, [`needed by ${next.name}`]);
        open.push(needed);
      }
  }

  of({ name }: RetainedBackup): RetentionDecision {
    const reasons = this.#reasons.get(name);
    return { name, keep: reasons !== undefined, reasons: reasons ?? ["matches no rule"] };
  }
}

/** Keeps what the rules match in one series, and what is always kept. */
function keepByRules(
  newestFirst: readonly RetainedBackup[],
  rules: RetentionRules,
  calendar: Calendar,
  nowMs: number,
  decision: Decision,
): void {
  const nowMicros = BigInt(Math.floor(nowMs)) * 1000n + 999n;
  for (const backup of newestFirst) {
    if (backup.coversToMicros > nowMicros) decision.keep(backup, "in the future");
    if (backup.pinned) decision.keep(backup, "pinned");
  }
  const past = newestFirst.filter(({ coversToMicros }) => coversToMicros <= nowMicros);
  const newest = past[0];
  if (newest === undefined) return;
  decision.keep(newest, "newest");
  const verified = past.find((backup) => backup.verified);
  if (verified) decision.keep(verified, "newest verified");
  const { keepLast = 0, keepWithinMs } = rules;
  // Pinned ones are kept besides: those made before a restore would take the places of others.
  const counted = past.filter(({ pinned }) => !pinned);
  for (const backup of counted.slice(0, keepLast)) decision.keep(backup, `last ${keepLast}`);
  if (keepWithinMs !== undefined) {
    const from = newest.coversToMicros - BigInt(Math.floor(keepWithinMs)) * 1000n;
    for (const backup of past) {
      if (backup.coversToMicros < from) break;
      decision.keep(backup, `within ${inWords(keepWithinMs)}`);
    }
  }
  keepByCalendar(past, rules, calendar, decision);
}

/** Keeps the newest backup of each period. `newestFirst` has at least one backup. */
function keepByCalendar(
  newestFirst: readonly RetainedBackup[],
  rules: RetentionRules,
  calendar: Calendar,
  decision: Decision,
): void {
  const set = calendarRules.filter(([rule]) => rules[rule] !== undefined);
  if (set.length === 0) return;
  const periods = newestFirst.map((backup) => ({
    backup,
    keys: calendar.periods(Number(backup.coversToMicros / 1000n)),
  }));
  for (const [rule, period, name] of set) {
    const count = rules[rule] ?? 0;
    const seen = new Set<string>();
    for (const { backup, keys } of periods) {
      if (seen.size >= count) break;
      if (seen.has(keys[period])) continue;
      seen.add(keys[period]);
      decision.keep(backup, `${name} ${keys[period]}`);
    }
    // Otherwise a rule for years would drop the first backups before it has several years to keep.
    const oldest = periods.at(-1);
    if (seen.size < count && oldest) decision.keep(oldest.backup, `oldest ${name}`);
  }
}

/** Returns the backups of each series, the newest first. Does not depend on the order given. */
function sortedSeries(backups: readonly RetainedBackup[]): RetainedBackup[][] {
  const newestFirst = backups.toSorted(
    (a, b) => compare(b.coversToMicros, a.coversToMicros) || compare(b.name, a.name),
  );
  const found = new Map<string, RetainedBackup[]>();
  for (const backup of newestFirst) {
    const list = found.get(backup.series);
    if (list) list.push(backup);
    else found.set(backup.series, [backup]);
  }
  return [...found].sort(([a], [b]) => compare(a, b)).map(([, list]) => list);
}

function checkCount(value: number | undefined, field: string, max: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 1 && value <= max)) return;
  throw invalid(
    field,
    `invalid count ${value}: must be 1 to ${max}. Omit the rule to keep no backups by it`,
  );
}

/** Formats whole days as words, other durations as durationText does. */
function inWords(ms: number): string {
  const days = ms / 86_400_000;
  return Number.isInteger(days) && days > 0
    ? `${days} ${days === 1 ? "day" : "days"}`
    : durationText(ms);
}

const compare = <T extends string | bigint>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

const invalid = (field: string, problem: string) =>
  new HostError("REQUEST_INVALID", `${field}: ${problem}.`, { metadata: { field } });

import {
  seriesSpans,
  timeSeries,
  type Aggregation,
  type SeriesSpan,
  type TimeSeries,
} from "./time-series.js";

/** A statistic in the format of Xenon's ServiceStat. */
export interface Stat {
  name: string;
  latestValue: number;
  /** Sum of all values of a measurement; 0 for a counter. */
  accumulatedValue: number;
  /** Number of updates. */
  version: number;
  /** Microseconds since 1970; 0 if never updated. */
  lastUpdateMicros: number;
  unit?: string;
  series?: TimeSeries;
}

/**
 * Statistics of a host since its start. Each counter and measurement exists from the start in three
 * forms: total, per hour and per day.
 */
export interface Stats {
  /** Increments a counter. */
  count(name: CountName): void;
  /** Records a measurement. */
  measure(name: MeasureName, value: number): void;
  /** Sets a value that does not exist at the start, such as the time of the last success. */
  set(name: MarkName, value: number): void;

  /** Returns all statistics. */
  all(): Stat[];
}

/** Xenon has the first three only per hour and per day. */
const counts = [
  "autoBackupPerformedCount",
  "autoBackupSkippedCount",
  "autoBackupFailedCount",
  "backupCount",
  "backupFailedCount",
  "restoreCount",
  "restoreFailedCount",
] as const;
const measures = {
  backupBytes: "bytes",
  backupDurationMicros: "microseconds",
  restoreBytes: "bytes",
  restoreDurationMicros: "microseconds",
  autoBackupBytes: "bytes",
  autoBackupDurationMicros: "microseconds",
} as const;
/** Names of counters. */
export type CountName = (typeof counts)[number];
/** Names of measurements. */
export type MeasureName = keyof typeof measures;
/** Names of times of events. */
export type MarkName = `${"backup" | "restore" | "autoBackup"}Last${"Success" | "Failure"}Micros`;

const spans = Object.keys(seriesSpans) as SeriesSpan[];

/** Creates statistics with the value 0. */
export function createStats(nowMicros: () => number): Stats {
  const entries = new Map<string, Stat>();
  const add = (name: string, more: Pick<Stat, "unit" | "series"> = {}) =>
    entries.set(name, {
      name,
      latestValue: 0,
      accumulatedValue: 0,
      version: 0,
      lastUpdateMicros: 0,
      ...more,
    });
  const withSeries = (name: string, aggregation: readonly Aggregation[], unit?: string) => {
    const more = unit === undefined ? {} : { unit };
    add(name, more);
    for (const span of spans)
      add(`${name}${span}`, { ...more, series: timeSeries(span, aggregation) });
  };
  for (const name of counts) withSeries(name, ["SUM"]);
  for (const [name, unit] of Object.entries(measures))
    withSeries(name, ["AVG", "MIN", "MAX", "SUM"], unit);

  const namesOf = (name: string) => [name, ...spans.map((span) => `${name}${span}`)];

  function update(name: string, change: (stat: Stat) => void, value: number): void {
    const stat = entries.get(name);
    if (!stat) return;
    change(stat);
    stat.version += 1;
    stat.lastUpdateMicros = nowMicros();
    stat.series?.add(stat.lastUpdateMicros, value);
  }

  return {
    count(name) {
      for (const one of namesOf(name)) update(one, (stat) => (stat.latestValue += 1), 1);
    },
    measure(name, value) {
      for (const one of namesOf(name)) {
        update(
          one,
          (stat) => {
            stat.latestValue = value;
            stat.accumulatedValue += value;
          },
          value,
        );
      }
    },
    set(name, value) {
      if (!entries.has(name)) add(name, { unit: "microseconds" });
      update(name, (stat) => (stat.latestValue = value), value);
    },
    all: () => [...entries.values()],
  };
}

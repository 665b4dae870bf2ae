import {
  seriesSpans,
  timeSeries,
  type Aggregation,
  type SeriesSpan,
  type TimeSeries,
} from "./time-series.js";

/** One figure of a host, as Xenon's ServiceStat has it. */
export interface Stat {
  name: string;
  latestValue: number;
  /** The sum of all values of a measured figure; 0 for a count. */
  accumulatedValue: number;
  /** How often it was updated. */
  version: number;
  /** Microseconds since 1970; 0: never. */
  lastUpdateMicros: number;
  unit?: string;
  series?: TimeSeries;
}

/** The figures of a host since it started. Each counted and measured one is there from the start, three times: as it is, per hour and per day. */
export interface Stats {
  count(name: CountName): void;
  measure(name: MeasureName, value: number): void;
  /** A value that was not there at the start, such as the time of the last success. */
  set(name: MarkName, value: number): void;
  all(): Stat[];
}

/** Xenon has the first three per hour and per day alone. */
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
export type CountName = (typeof counts)[number];
export type MeasureName = keyof typeof measures;
export type MarkName = `${"backup" | "restore" | "autoBackup"}Last${"Success" | "Failure"}Micros`;

const spans = Object.keys(seriesSpans) as SeriesSpan[];

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

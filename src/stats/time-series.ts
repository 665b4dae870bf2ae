/** Aggregation of the values of a bin. */
export type Aggregation = "AVG" | "MIN" | "MAX" | "SUM";

/** Aggregated values of a time interval. */
export interface TimeBin {
  avg?: number;
  min?: number;
  max?: number;
  sum?: number;
  /** Number of values in the average; 0 without an average. */
  count: number;
}

/** Values aggregated in bins of equal duration; only the newest bins are kept. */
export interface TimeSeries {
  readonly binDurationMillis: number;
  readonly numBins: number;
  readonly aggregationType: readonly Aggregation[];
  /** Bins by start time in milliseconds since 1970, oldest first. */
  readonly bins: ReadonlyMap<number, TimeBin>;

  /** Adds a value. Values older than all bins are ignored. */
  add(timeMicros: number, value: number): void;
}

/** Supported series: an hour in minutes, and a day in hours. */
export const seriesSpans = {
  PerHour: { numBins: 60, binDurationMillis: 60_000 },
  PerDay: { numBins: 24, binDurationMillis: 3_600_000 },
} as const;
/** Names of seriesSpans. */
export type SeriesSpan = keyof typeof seriesSpans;

/** Creates an empty series. */
export function timeSeries(span: SeriesSpan, aggregationType: readonly Aggregation[]): TimeSeries {
  const { numBins, binDurationMillis } = seriesSpans[span];
  const bins = new Map<number, TimeBin>();

  /** Returns the bin of a time, or undefined if the time is older than all bins. */
  function binAt(timeMicros: number): TimeBin | undefined {
    const millis = Math.floor(timeMicros / 1000);
    const begin = millis - (millis % binDurationMillis);
    const found = bins.get(begin);
    if (found) return found;
    const [oldest] = bins.keys();
    if (bins.size === numBins && oldest !== undefined) {
      if (begin < oldest) return undefined;
      bins.delete(oldest);
    }
    const bin: TimeBin = { count: 0 };
    bins.set(begin, bin);
    return bin;
  }

  return {
    numBins,
    binDurationMillis,
    aggregationType,
    bins,
    add(timeMicros, value) {
      const bin = binAt(timeMicros);
      if (!bin) return;
      for (const aggregation of aggregationType) {
        if (aggregation === "SUM") bin.sum = (bin.sum ?? 0) + value;
        if (aggregation === "MIN") bin.min = Math.min(bin.min ?? value, value);
        if (aggregation === "MAX") bin.max = Math.max(bin.max ?? value, value);
        if (aggregation === "AVG") {
          bin.count += 1;
          bin.avg = (bin.avg ?? 0) + (value - (bin.avg ?? 0)) / bin.count;
        }
      }
    },
  };
}

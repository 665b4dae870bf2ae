/** What a bin of a series keeps of its values. */
export type Aggregation = "AVG" | "MIN" | "MAX" | "SUM";

export interface TimeBin {
  avg?: number;
  min?: number;
  max?: number;
  sum?: number;
  /** How many values the average is of; 0 where there is no average. */
  count: number;
}

/** Values by the time they came at, in bins of one length; only the newest bins stay. */
export interface TimeSeries {
  readonly binDurationMillis: number;
  readonly numBins: number;
  readonly aggregationType: readonly Aggregation[];
  /** By the begin of the bin in milliseconds since 1970, oldest first. */
  readonly bins: ReadonlyMap<number, TimeBin>;
  add(timeMicros: number, value: number): void;
}

/** An hour in minutes, and a day in hours. */
export const seriesSpans = {
  PerHour: { numBins: 60, binDurationMillis: 60_000 },
  PerDay: { numBins: 24, binDurationMillis: 3_600_000 },
} as const;
export type SeriesSpan = keyof typeof seriesSpans;

export function timeSeries(span: SeriesSpan, aggregationType: readonly Aggregation[]): TimeSeries {
  const { numBins, binDurationMillis } = seriesSpans[span];
  const bins = new Map<number, TimeBin>();

  /** Undefined: the time lies before all that is kept. */
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

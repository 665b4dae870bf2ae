import type { Stat } from "../../stats/stats.js";

/** Renders Xenon's ServiceStats, the response to GET of /stats of a service. */
export function statsText(stats: readonly Stat[], selfLink: string, hostId: string): string {
  return JSON.stringify({
    kind: "com:vmware:xenon:common:ServiceStats",
    entries: Object.fromEntries(
      [...stats]
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map((stat) => [stat.name, entryOf(stat)]),
    ),
    documentVersion: 0,
    documentKind: "com:vmware:xenon:common:ServiceStats",
    documentSelfLink: selfLink,
    documentUpdateTimeMicros: 0,
    documentExpirationTimeMicros: 0,
    documentOwner: hostId,
  });
}

function entryOf({ lastUpdateMicros, series, ...same }: Stat) {
  return {
    ...same,
    lastUpdateMicrosUtc: lastUpdateMicros,
    kind: "com:vmware:xenon:common:ServiceStats:ServiceStat",
    ...(series && {
      timeSeriesStats: {
        bins: Object.fromEntries(series.bins),
        numBins: series.numBins,
        binDurationMillis: series.binDurationMillis,
        aggregationType: series.aggregationType,
      },
    }),
  };
}

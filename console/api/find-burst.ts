import { describePointInTime, getActivity } from "./host.js";

/** Buckets of each look; each look is at a few buckets of the one before. */
const looks = { buckets: 200, most: 8 };
/** A bucket with this share of the deletions of the worst one belongs to the same burst. */
const share = 0.05;
/** Buckets without such a share that a burst may have in between. */
const gaps = 3;
const entries = 100;
/** Deletions that follow each other within this time, and nothing in between, are of one burst. */
const longestGapMicros = 1_000_000;

/** Returns the last moment before the greatest burst of deletions in a range; undefined if nothing was deleted. */
export async function findBurst(
  indexLink: string,
  range: { from?: number; to?: number },
  signal: AbortSignal,
): Promise<number | undefined> {
  let { from, to } = range;
  let start: number | undefined;
  for (let look = 0; look < looks.most; look += 1) {
    const activity = await getActivity(
      {
        indexLink,
        buckets: looks.buckets,
        ...(from !== undefined && { from }),
        ...(to !== undefined && { to }),
      },
      signal,
    );
    const width = Number(activity.bucketMicros);
    const found = startOfBurst(activity.buckets ?? [], width, look > 0);
    if (found === undefined) break;
    start = found;
    // A burst may begin with a few deletions at the end of the bucket before.
    const isBeforeToo = (activity.buckets ?? []).some(
      (one) => Number(one.startTimeMicros) === found - width && Number(one.deleted ?? 0) > 0,
    );
    const isFinest = from !== undefined && to !== undefined && to - from <= 3 * width;
    if (isFinest || width <= 1_000) break;
    [from, to] = [isBeforeToo ? start - width : start, start + width];
  }
  if (start === undefined) return undefined;
  // The last change that is kept is the one before the first deletion.
  const { before = [], after = [] } = await describePointInTime(
    indexLink,
    start - 1,
    entries,
    signal,
  );
  let first = after.find(({ action }) => action === "DELETE");
  for (const entry of before) {
    const gap = Number(first?.timeMicros ?? start) - Number(entry.timeMicros);
    if (entry.action !== "DELETE" || gap > longestGapMicros) break;
    first = entry;
  }
  return first ? Number(first.timeMicros) - 1 : start - 1;
}

/** The first bucket of the worst burst; with `isPart`, all buckets are of one burst. */
function startOfBurst(
  buckets: readonly { startTimeMicros?: string; deleted?: string }[],
  width: number,
  isPart: boolean,
): number | undefined {
  const times = buckets.map(({ startTimeMicros }) => Number(startTimeMicros));
  const deleted = buckets.map((bucket) => Number(bucket.deleted ?? 0));
  const most = Math.max(0, ...deleted);
  if (most === 0) return undefined;
  const isOfBurst = deleted.map((value) => value >= Math.max(1, most * share));
  let first = deleted.indexOf(most);
  for (let at = first - 1; at >= 0; at -= 1) {
    const gap = (times[first] ?? 0) - (times[at] ?? 0);
    if (!isPart && gap > (gaps + 1) * width) break;
    if (isOfBurst[at]) first = at;
  }
  return times[first];
}

import { fromNow, localSecond, utcTime } from "../text/format.js";

/** A time in the zone of this browser, and how far away it is; in UTC under the pointer. */
export function Time({ micros }: { micros: number | string | undefined }) {
  const at = Number(micros ?? 0);
  if (at === 0) return <>never</>;
  const utc = utcTime(at);
  return (
    <time dateTime={utc} title={utc}>
      {localSecond(at)} <span class="muted">{fromNow(at, Date.now() * 1000)}</span>
    </time>
  );
}

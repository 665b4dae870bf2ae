/** The points in time that a backup restores, both ends included. Microseconds since 1970. */
export interface Covered {
  coversFromMicros: bigint;
  coversToMicros: bigint;
}

/**
 * Returns how far back from the end of the newest backup restores are possible without a gap, in
 * whole milliseconds; 0 without backups. Pass the backups of one series.
 *
 * What is later than `nowMs` does not count, so that a clock that was ahead does not make the window
 * longer. The time from the end of the newest backup until now is not in the result: no backup
 * restores it. Restores reach back from now by the result plus that time, which is the sum to
 * compare with the window of a policy.
 */
export function windowCoveredMs(backups: readonly Covered[], nowMs: number): number {
  const nowMicros = BigInt(Math.floor(nowMs)) * 1000n + 999n;
  const latestFirst = backups
    .filter(
      (one) => one.coversFromMicros <= one.coversToMicros && one.coversFromMicros <= nowMicros,
    )
    .map(({ coversFromMicros: from, coversToMicros: to }) => ({
      from,
      to: to < nowMicros ? to : nowMicros,
    }))
    .sort((a, b) => compare(b.to, a.to));
  const end = latestFirst[0]?.to ?? 0n;
  let start = end;
  for (const { from, to } of latestFirst) {
    // Points in time are whole microseconds: one after the other leaves no gap.
    if (to < start - 1n) break;
    if (from < start) start = from;
  }
  return Number((end - start) / 1000n);
}

/**
 * Adds as few backups to the kept ones as are needed to restore each point in time from `startMicros`
 * on that any of the backups restores. Calls `keep` for each, from the earliest; it may keep further
 * backups. Takes O(n log n).
 */
export function coverWindow<T extends Covered>(
  backups: readonly T[],
  startMicros: bigint,
  isKept: (backup: T) => boolean,
  keep: (backup: T) => void,
): void {
  const byStart = backups
    .filter((one) => one.coversFromMicros <= one.coversToMicros)
    .sort((a, b) => compare(a.coversFromMicros, b.coversFromMicros));
  let next = 0;
  /** The first point in time that the kept backups may not restore. */
  let open = startMicros;
  /** Of the backups that begin at or before `open`, the one that ends last. */
  let longest: T | undefined;
  for (;;) {
    for (
      let backup = byStart[next];
      backup && backup.coversFromMicros <= open;
      backup = byStart[++next]
    ) {
      if (!longest || backup.coversToMicros > longest.coversToMicros) longest = backup;
      if (backup.coversToMicros >= open && isKept(backup)) open = backup.coversToMicros + 1n;
    }
    const following = byStart[next];
    if (longest && longest.coversToMicros >= open) {
      // Backups that it needs and that began before end no later, so that `open` passes them too.
      keep(longest);
      open = longest.coversToMicros + 1n;
    } else if (following) open = following.coversFromMicros;
    else return;
  }
}

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

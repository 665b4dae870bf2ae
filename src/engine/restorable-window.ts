import type { RestorableWindow } from "./engine.js";

/** What a log and its compactions say of the points in time that it restores. Times in microseconds, 0: none. */
export interface WindowFacts {
  /** Time of the first kept version. */
  firstMicros: number;
  positionMicros: number;
  nowMicros: number;
  /** The compaction that reaches furthest, if any: versions of the link before `untilMicros` are lost. */
  bound?: { link: string; untilMicros: number } | undefined;
  /** Time of the first compacted version. */
  compactedSinceMicros: number;
}

/** Returns the points in time that a log restores. */
export function restorableWindow(facts: WindowFacts): RestorableWindow {
  const { firstMicros, positionMicros, nowMicros, bound, compactedSinceMicros } = facts;
  const latestMicros = Math.max(positionMicros, nowMicros);
  const earliestMicros = Math.max(
    firstMicros === 0 ? latestMicros : firstMicros,
    bound?.untilMicros ?? 0,
  );
  const begin = compactedSinceMicros === 0 ? firstMicros : compactedSinceMicros;
  return {
    earliestMicros,
    latestMicros,
    historyStartMicros: begin === 0 ? 0 : Math.min(begin, firstMicros),
    ...(bound !== undefined &&
      bound.untilMicros === earliestMicros && { boundingLink: bound.link }),
  };
}

import type Database from "better-sqlite3";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { compilePattern, type Pattern } from "./pattern.js";

/** Bounds how long one statement that filters may run: SQLite itself cannot be interrupted in this thread. */
export interface StatementClock {
  /** A statement begins; beyond so many milliseconds it fails with QUERY_LIMIT. */
  begin(maxMs: number): void;
  /** Called again and again while it runs; throws when its time is over. */
  check(): void;
}

/**
 * The functions that filters use, for one connection. `holdfast_like(text, pattern)` is GLOB without its worst case, where the length
 * of the text is multiplied by that of the pattern. `holdfast_tick()` is true, or ends a statement whose time is over.
 */
export function definePatterns(db: Database.Database): StatementClock {
  let endMs = Infinity;
  const patterns = new Map<string, Pattern>();
  const clock: StatementClock = {
    begin(maxMs) {
      endMs = performance.now() + maxMs;
    },
    check() {
      if (performance.now() > endMs)
        throw new HostError(
          "QUERY_LIMIT",
          "The query takes too long for one part of the index. Ask for less: shorter patterns, fewer terms, fewer fields to sort by.",
        );
    },
  };

  function patternOf(text: string): Pattern {
    const known = patterns.get(text);
    if (known !== undefined) return known;
    const [oldest] = patterns.keys();
    if (patterns.size >= limits.filterTerms && oldest !== undefined) patterns.delete(oldest);
    const pattern = compilePattern(text);
    patterns.set(text, pattern);
    return pattern;
  }

  db.function("holdfast_like", { deterministic: true }, (value: unknown, pattern: unknown) => {
    clock.check();
    return typeof value === "string" &&
      typeof pattern === "string" &&
      patternOf(pattern)(value, clock.check)
      ? 1
      : 0;
  });
  db.function("holdfast_tick", () => {
    clock.check();
    return 1;
  });
  return clock;
}

/** Whether a statement failed because its time was over. */
export function isTooSlow(thrown: unknown): boolean {
  return thrown instanceof HostError && thrown.reason === "QUERY_LIMIT";
}

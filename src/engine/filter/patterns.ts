import type Database from "better-sqlite3";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { compilePattern, type Pattern } from "./pattern.js";

/** Bounds how long one filtering statement runs: SQLite cannot be interrupted from its own thread. */
export interface StatementClock {
  /** Starts the clock for a statement, which fails with QUERY_LIMIT after `ms` milliseconds. */
  begin(maxMs: number): void;
  /** Throws when the time of the statement is over. The statement calls it repeatedly. */
  check(): void;
}

/**
 * Defines the SQL functions of filters on a connection. `holdfast_like(text, pattern)` is GLOB without its worst case, in
 * which the time is the product of both lengths. `holdfast_tick()` returns true, or ends a statement whose time is over.
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
          "The query takes too long for one part of the index. Use shorter patterns, fewer terms, or fewer fields to sort by.",
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

/** Returns whether a statement failed because its time was over. */
export function isTooSlow(thrown: unknown): boolean {
  return thrown instanceof HostError && thrown.reason === "QUERY_LIMIT";
}

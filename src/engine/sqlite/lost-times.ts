import type Database from "better-sqlite3";
import { compactedTime } from "../engine-errors.js";
import { formatTime } from "../../io/time.js";

/** Points in time that compaction made unreadable: for a link, from its first compacted version to its first kept one. */
export interface LostTimes {
  /** Throws TARGET_TIME_OUT_OF_RANGE if a version of that time was compacted: of the link, or of any link. */
  check(atMicros: number, link?: string): void;
}

interface Compaction {
  link: string;
  until: number;
}

export function createLostTimes(db: Database.Database): LostTimes {
  const ofAny = db.prepare<[number, number], Compaction>(
    "SELECT link, until FROM prune WHERE since <= ? AND until > ? ORDER BY until DESC LIMIT 1",
  );
  const ofLink = db.prepare<[string, number, number], Compaction>(
    "SELECT link, until FROM prune WHERE link = ? AND since <= ? AND until > ?",
  );
  return {
    check(atMicros, link) {
      const found =
        link === undefined ? ofAny.get(atMicros, atMicros) : ofLink.get(link, atMicros, atMicros);
      if (found === undefined) return;
      const { link: bounding, until } = found;
      throw compactedTime(formatTime(atMicros), bounding, formatTime(until), until);
    },
  };
}

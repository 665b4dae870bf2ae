import type Database from "better-sqlite3";
import { HostError } from "../../errors.js";

/** Which moments of the past pruning has taken. A moment is lost for a link from its first pruned version to its first kept one. */
export interface LostTimes {
  /** Throws TARGET_TIME_OUT_OF_RANGE where a version of that time was pruned: of the link, or of any. */
  check(atMicros: number, link?: string): void;
}

interface Prune {
  link: string;
  until: number;
}

export function createLostTimes(db: Database.Database): LostTimes {
  const ofAny = db.prepare<[number, number], Prune>(
    "SELECT link, until FROM prune WHERE since <= ? AND until > ? ORDER BY until DESC LIMIT 1",
  );
  const ofLink = db.prepare<[string, number, number], Prune>(
    "SELECT link, until FROM prune WHERE link = ? AND since <= ? AND until > ?",
  );
  return {
    check(atMicros, link) {
      const found =
        link === undefined ? ofAny.get(atMicros, atMicros) : ofLink.get(link, atMicros, atMicros);
      if (found === undefined) return;
      const { link: boundingLink, until } = found;
      throw new HostError(
        "TARGET_TIME_OUT_OF_RANGE",
        `The state of ${atMicros} is lost: versions of ${boundingLink} from then were pruned. ` +
          `Ask for a time from ${until} (${new Date(Math.floor(until / 1000)).toISOString()}) on, or restore a backup that has it.`,
        { metadata: { earliestMicros: String(until), boundingLink } },
      );
    },
  };
}

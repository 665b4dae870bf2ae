import { createHash } from "node:crypto";
import type Database from "better-sqlite3";
import type { DocumentVersion } from "../document/document.js";
import { scanMembers } from "../document/members.js";
import { linkPrefixRange } from "../document/link.js";

/** Counts and digest of one side of a comparison. */
export interface ProofSum {
  /** Documents; deleted ones count if their versions are compared. */
  links: number;
  versions: number;
  /** SHA-256 in hexadecimal over all versions in the order of links and versions. */
  digest: string;
}

type ProofRow = [link: string, version: number, digest: string];

/** Compares two sets of versions, in any order, by a digest of each version in a table of the database. */
export class Proof {
  readonly #db: Database.Database;
  readonly #add: (side: string, versions: readonly DocumentVersion[]) => void;

  constructor(db: Database.Database) {
    this.#db = db;
    db.exec(
      "CREATE TABLE IF NOT EXISTS proof (side TEXT NOT NULL, link TEXT NOT NULL, version INTEGER NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (side, link, version)) STRICT, WITHOUT ROWID",
    );
    const insert = db.prepare(
      "INSERT OR REPLACE INTO proof (side, link, version, digest) VALUES (?, ?, ?, ?)",
    );
    this.#add = db.transaction((side: string, versions: readonly DocumentVersion[]) => {
      for (const version of versions)
        insert.run(side, version.link, version.version, digestOf(version));
    });
  }

  clear(): void {
    this.#db.exec("DELETE FROM proof");
  }

  add(side: string, versions: readonly DocumentVersion[]): void {
    this.#add(side, versions);
  }

  /** Sums the versions of links with the prefix on one side. */
  sum(side: string, linkPrefix: string): ProofSum {
    const rows = this.#db
      .prepare(
        "SELECT link, version, digest FROM proof WHERE side = ? AND link >= ? AND link < ? ORDER BY link, version",
      )
      .raw()
      .iterate(side, ...linkPrefixRange(linkPrefix)) as IterableIterator<ProofRow>;
    const hash = createHash("sha256");
    let links = 0;
    let versions = 0;
    let last: string | undefined;
    for (const row of rows) {
      hash.update(`${row.join("\n")}\n`);
      versions += 1;
      if (row[0] !== last) links += 1;
      last = row[0];
    }
    return { links, versions, digest: hash.digest("hex") };
  }

  /** Returns at most `limit` versions that are missing or different on one of the two sides. */
  differences(left: string, right: string, limit: number): { link: string; version: number }[] {
    const missing = this.#db.prepare<[string, string, number], { link: string; version: number }>(
      `SELECT link, version FROM proof l WHERE side = ? AND NOT EXISTS
       (SELECT 1 FROM proof r WHERE r.side = ? AND r.link = l.link AND r.version = l.version AND r.digest = l.digest) LIMIT ?`,
    );
    const found = new Map<string, { link: string; version: number }>();
    for (const one of [...missing.all(left, right, limit), ...missing.all(right, left, limit)])
      found.set(`${one.link}\n${one.version}`, one);
    return [...found.values()].slice(0, limit);
  }
}

/**
 * Digest of all fields of a version. The order of the members of the body is irrelevant; their
 * values count verbatim.
 */
function digestOf({
  link,
  version,
  updateTimeMicros,
  action,
  kind,
  owner,
  expirationTimeMicros,
  body,
}: DocumentVersion): string {
  const members = [...scanMembers(body)].sort(([a], [b]) => (a < b ? -1 : 1)).flat();
  return createHash("sha256")
    .update(
      JSON.stringify([
        link,
        version,
        updateTimeMicros,
        action,
        kind,
        owner,
        expirationTimeMicros,
        ...members,
      ]),
    )
    .digest("hex");
}

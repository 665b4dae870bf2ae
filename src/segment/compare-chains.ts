import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import Database from "better-sqlite3";
import type { SegmentSource } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { createPrivateFile } from "../io/private-file.js";
import { limits } from "../limits.js";
import { checkChain, countRows, linkHash } from "./chain-check.js";
import { LinkStates } from "./link-states.js";
import { isCompacted, readRows, type Compaction } from "./log-rows.js";
import { NumberFiles, numbersIn, readAndRemove } from "./number-files.js";
import { logChecksumText } from "./row.js";
import { digestFile } from "./segment-file.js";
import { createSegmentTables } from "./tables.js";

/** One of two chains that are compared. */
export interface ComparedChain {
  segments: SegmentSource[];
  /** Leaves out versions above it; compactions always apply. Default: all versions. */
  targetTimeMicros?: number;
}

/** The documents to compare: those of any link or any prefix, and of any kind. Empty: all. */
export interface ComparedDocuments {
  prefixes: readonly string[];
  kinds: readonly string[];
  links: readonly string[];
}

/** What a whole chain contains, whatever is compared of it. */
export interface ChainCounts {
  documents: number;
  versions: number;
}

/** The result of a comparison of two chains. */
export interface ChainComparison {
  counts: [ChainCounts, ChainCounts];
  /** Documents that have the same version in both. */
  unchanged: number;
}

/** What a record of a part is: a compaction, or a version that is shown, not selected, or a deletion. */
const [compaction, shown, hidden, deletion] = [0, 1, 2, 3] as const;
/** Numbers of a record: two hashes of the link, version, time, and what it is. */
const recordNumbers = 5;
type Side = 0 | 1;
const sides = [0, 1] as const;

/**
 * Compares the states of two chains without an index of either: reads each chain once, divides its
 * rows by the hashes of their links into parts on disk, and compares part by part, so that memory
 * does not depend on the number of documents. Checks the order of the versions as `checkChain` does;
 * `checkRows` checks each row by itself.
 *
 * Leaves files in the directory for `writeDiffering`. Blocks.
 *
 * @param rowsAtOnce bounds the records of one part.
 * Throws BACKUP_DAMAGED.
 */
export function compareChains(
  chains: readonly [ComparedChain, ComparedChain],
  wanted: ComparedDocuments,
  directory: string,
  rowsAtOnce: number = limits.comparedRows,
): ChainComparison {
  const compared = compareOnce(chains, wanted, directory, rowsAtOnce);
  if (compared !== undefined) return compared;
  for (const side of sides) rmSync(partsPath(directory, side), { recursive: true, force: true });
  // Names the version, unless two links share both hashes.
  for (const { segments } of chains) checkChain(segments, directory, () => {});
  const again = compareOnce(chains, wanted, directory, rowsAtOnce);
  if (again !== undefined) return again;
  throw new HostError("INTERNAL", "The backups cannot be compared. Run the command again.");
}

function compareOnce(
  chains: readonly [ComparedChain, ComparedChain],
  wanted: ComparedDocuments,
  directory: string,
  rowsAtOnce: number,
): ChainComparison | undefined {
  const records = countRows(chains.flatMap(({ segments }) => segments));
  const parts = Math.min(limits.comparedParts, Math.max(1, Math.ceil(records / rowsAtOnce)));
  const hashes = [linkHash(), linkHash()] as const;
  const partsOf = sides.map((side) => {
    const at = partsPath(directory, side);
    rmSync(at, { recursive: true, force: true });
    mkdirSync(at, { mode: 0o700 });
    const paths = Array.from({ length: parts }, (_, part) => join(at, String(part)));
    divide(chains[side], wanted, hashes, paths);
    return paths;
  });
  const differing = new NumberFiles(sides.map((side) => differingPath(directory, side)));
  const comparison: ChainComparison = {
    counts: [
      { documents: 0, versions: 0 },
      { documents: 0, versions: 0 },
    ],
    unchanged: 0,
  };
  try {
    for (let part = 0; part < parts; part += 1) {
      const rows = sides.map((side) => readAndRemove(partsOf[side]?.[part] ?? ""));
      const states = new LinkStates(
        rows.reduce((sum, { length }) => sum + length / recordNumbers, 0),
      );
      for (const side of sides) {
        const target = chains[side].targetTimeMicros ?? Number.MAX_SAFE_INTEGER;
        const content = comparison.counts[side];
        if (!fill(states, side, rows[side] ?? new Float64Array(), target, content))
          return undefined;
        content.documents += states.live(side);
      }
      comparison.unchanged += states.compare((side, time) => differing.append(side, time));
    }
  } finally {
    differing.close();
  }
  return comparison;
}

const partsPath = (directory: string, side: Side) => join(directory, `parts-${side}`);
const differingPath = (directory: string, side: Side) => join(directory, `differing-${side}`);

/** Writes the compactions of a chain, then its rows in the order of their times, each to the part of its link. */
function divide(
  { segments }: ComparedChain,
  wanted: ComparedDocuments,
  [keyOf, checkOf]: readonly [(link: string) => number, (link: string) => number],
  paths: readonly string[],
): void {
  const files = new NumberFiles(paths);
  const put = (link: string, version: number, time: number, what: number) => {
    const key = keyOf(link);
    const part = key % paths.length;
    files.append(part, key);
    files.append(part, checkOf(link));
    files.append(part, version);
    files.append(part, time);
    files.append(part, what);
  };
  const isWanted = selects(wanted);
  try {
    readRows(
      segments,
      () => {},
      {
        compaction: (link, version, time) => put(link, version, time, compaction),
        version(link, version, time, isDeleted, kind) {
          put(link, version, time, isDeleted ? deletion : isWanted(link, kind) ? shown : hidden);
          return true;
        },
      },
      wanted.kinds.length > 0,
    );
  } finally {
    files.close();
  }
}

/** Whether a document is to be compared. A state has a document only if its kind is wanted there. */
function selects({ prefixes, kinds, links }: ComparedDocuments) {
  const all = prefixes.length + links.length === 0;
  const exact = new Set(links);
  const ofKind = new Set(kinds);
  return (link: string, kind: string) =>
    (all || exact.has(link) || prefixes.some((prefix) => link.startsWith(prefix))) &&
    (kinds.length === 0 || ofKind.has(kind));
}

/** Fills in the rows of one side. False if the versions of a link do not increase with time. */
function fill(
  states: LinkStates,
  side: Side,
  rows: Float64Array,
  target: number,
  content: ChainCounts,
): boolean {
  const compactions = new Map<number, Compaction>();
  for (let i = 0; i < rows.length; i += recordNumbers) {
    const slot = states.slotOf(rows[i] ?? 0, rows[i + 1] ?? 0);
    const version = rows[i + 2] ?? 0;
    const time = rows[i + 3] ?? 0;
    const what = rows[i + 4];
    if (what === compaction) {
      compactions.set(slot, { version, time });
      continue;
    }
    const removed = compactions.size > 0 && isCompacted(compactions.get(slot), version, time);
    if (!states.follow(side, slot, version, what !== deletion && !removed)) return false;
    if (!removed) content.versions += 1;
    if (time <= target) states.set(side, slot, version, what === shown && !removed ? time : 0);
  }
  return true;
}

/**
 * Writes the versions of one chain that `compareChains` found to differ to a new base segment, which
 * has at most one version of a link, and `{}` in place of each body. The rows of the chain must have
 * been checked.
 */
export function writeDiffering(
  { segments }: ComparedChain,
  side: Side,
  directory: string,
): SegmentSource {
  const path = join(directory, `differing-${side}.sqlite`);
  createPrivateFile(path);
  const db = new Database(path);
  try {
    createSegmentTables(db);
    db.pragma("journal_mode = OFF");
    db.pragma("synchronous = OFF");
    db.pragma("trusted_schema = OFF");
    db.function("checksum", { deterministic: true }, (text) => crc32(String(text)));
    db.exec("CREATE TEMP TABLE wanted (time INTEGER PRIMARY KEY)");
    const want = db.prepare("INSERT INTO wanted VALUES (?)");
    for (const times of numbersIn(differingPath(directory, side)))
      db.transaction(() => times.sort().forEach((time) => want.run(time)))();
    for (const segment of segments) {
      db.prepare("ATTACH ? AS segment").run(segment.path);
      db.exec(
        `INSERT INTO main.log (time, link, version, action, kind, owner, expires, crc, body)
         SELECT time, link, version, action, kind, owner, expires, checksum(${logChecksumText}), body FROM (
           SELECT s.time, s.link, s.version, s.action, s.kind, '' AS owner, 0 AS expires, '{}' AS body
           FROM temp.wanted w CROSS JOIN segment.log s ON s.time = w.time)`,
      );
      db.exec("DETACH segment");
    }
    const records = db.prepare("SELECT count(*) FROM main.log").pluck().get() as number;
    db.close();
    return {
      path,
      kind: "base",
      firstMicros: 0,
      lastMicros: Math.max(0, ...segments.map(({ lastMicros }) => lastMicros)),
      records,
      prunes: 0,
      sizeBytes: statSync(path).size,
      sha256: digestFile(path, () => {}),
    };
  } finally {
    db.close();
  }
}

import type Database from "better-sqlite3";
import { randomBytes } from "node:crypto";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import type { ChainContent, SegmentSource } from "../engine/engine.js";
import { readSegment } from "./segment-file.js";

/** The share of the links that one pass checks, so that memory is bounded. */
interface Part {
  index: number;
  count: number;
}

interface Compaction {
  version: number;
  time: number;
}

/**
 * Checks the rows of a chain against each other: the versions of each link must increase with time.
 * Returns the counts and times that a restore of the whole chain would give, without building an
 * index. `checkRows` checks each row by itself.
 *
 * @param onRows receives the number of rows read since the last call.
 * @param linksAtOnce bounds the links in memory; more links take more passes.
 * Throws BACKUP_DAMAGED with the first invalid version.
 */
export function checkChain(
  segments: readonly SegmentSource[],
  onRows: (rows: number) => void,
  linksAtOnce: number = limits.chainCheckLinks,
): ChainContent {
  // Two links may share a hash. A problem is real if it also appears with another hash.
  const first = readChain(segments, linksAtOnce, onRows);
  const checked = "problem" in first ? readChain(segments, linksAtOnce, onRows) : first;
  if (!("problem" in checked)) return checked;
  throw new HostError(
    "BACKUP_DAMAGED",
    `The segment ${checked.segment.path} is damaged: ${checked.problem}. Use another backup.`,
    { metadata: { file: checked.segment.path } },
  );
}

function readChain(
  segments: readonly SegmentSource[],
  linksAtOnce: number,
  onRows: (rows: number) => void,
): ChainContent | Finding {
  const total = segments.reduce((sum, { records }) => sum + records, 0);
  const count = Math.max(1, Math.ceil(total / linksAtOnce));
  const hash = linkHash();
  const sum: ChainContent = {
    documents: 0,
    versions: 0,
    firstMicros: 0,
    prunedUntilMicros: 0,
    prunedSinceMicros: 0,
  };
  for (let index = 0; index < count; index += 1) {
    const checked = readPart(segments, { index, count }, hash, onRows);
    if ("problem" in checked) return checked;
    sum.documents += checked.documents;
    sum.versions += checked.versions;
    sum.firstMicros = earlier(sum.firstMicros, checked.firstMicros);
    sum.prunedSinceMicros = earlier(sum.prunedSinceMicros, checked.prunedSinceMicros);
    sum.prunedUntilMicros = Math.max(sum.prunedUntilMicros, checked.prunedUntilMicros);
  }
  return sum;
}

/** Returns the earlier time; 0 means no time. */
const earlier = (a: number, b: number) => (a === 0 ? b : b === 0 ? a : Math.min(a, b));

type Finding = { problem: string; segment: SegmentSource };

function readPart(
  segments: readonly SegmentSource[],
  part: Part,
  hash: (link: string) => number,
  onRows: (rows: number) => void,
): ChainContent | Finding {
  const isOfPart = (key: number) => key % part.count === part.index;
  const compactions = new Map<number, Compaction>();
  const content: ChainContent = {
    documents: 0,
    versions: 0,
    firstMicros: 0,
    prunedUntilMicros: 0,
    prunedSinceMicros: 0,
  };
  for (const segment of segments) {
    readSegment(segment, (db) => {
      for (const [link, version, time, since, until] of compactionRows(db)) {
        const key = hash(link);
        if (!isOfPart(key)) continue;
        compactions.set(key, { version, time });
        content.prunedUntilMicros = Math.max(content.prunedUntilMicros, until);
        content.prunedSinceMicros = earlier(content.prunedSinceMicros, since);
      }
    });
  }
  const table = versionTable(
    Math.min(
      limits.chainCheckLinks * 2,
      segments.reduce((sum, { records }) => sum + records, 0),
    ),
  );
  for (const segment of segments) {
    const problem = readSegment(segment, (db) => {
      let rows = 0;
      for (const [time, link, version, deleted] of logRows(db)) {
        rows += 1;
        if (rows % limits.scanRows === 0) onRows(limits.scanRows);
        const key = hash(link);
        if (!isOfPart(key)) continue;
        const compaction = compactions.size === 0 ? undefined : compactions.get(key);
        const removed =
          compaction !== undefined && version <= compaction.version && time < compaction.time;
        const before = table.put(key, version, !deleted && !removed);
        if (before === full) return "it contains more links than rows";
        if (before >= version)
          return `version ${version} of ${JSON.stringify(link)} follows version ${before}`;
        if (removed) continue;
        content.versions += 1;
        content.firstMicros = earlier(content.firstMicros, time);
      }
      return undefined;
    });
    if (problem !== undefined) return { problem, segment };
  }
  content.documents = table.live();
  return content;
}

const compactionRows = (db: Database.Database) =>
  db
    .prepare("SELECT link, version, time, since, until FROM prune")
    .raw()
    .iterate() as IterableIterator<[string, number, number, number, number]>;

type LogRow = [time: number, link: string, version: number, deleted: number];

/** The rows in the order of time. Many at once take two thirds of the time of one after another; a link is cut off beyond its limit. */
function* logRows(db: Database.Database): Generator<LogRow> {
  const read = db
    .prepare<[number], LogRow>(
      `SELECT time, substr(link, 1, ${limits.selfLinkBytes + 1}), version, action = 'DELETE' FROM log WHERE time > ? ORDER BY time LIMIT ${limits.scanRows}`,
    )
    .raw();
  for (let after = Number.MIN_SAFE_INTEGER; ;) {
    const rows = read.all(after);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last[0];
  }
}

/**
 * Creates a hash of 53 bits with a random seed, so that an attacker cannot choose links that
 * collide.
 */
export function linkHash(): (link: string) => number {
  const seeds = randomBytes(8);
  const [a, b] = [seeds.readUInt32LE(0), seeds.readUInt32LE(4)];
  return (link) => {
    let low = a;
    let high = b;
    for (let i = 0; i < link.length; i += 1) {
      const code = link.charCodeAt(i);
      low = Math.imul(low ^ code, 0x01000193);
      high = Math.imul(high ^ code ^ (low >>> 15), 0x85ebca6b);
    }
    low ^= low >>> 16;
    high = Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
    return (high >>> 0) * 0x200000 + ((low ^ (high >>> 7)) & 0x1fffff);
  };
}

const full = Number.MAX_SAFE_INTEGER;

/** A hash table with open addressing in two arrays of numbers. A Map takes ten times the memory. */
function versionTable(links: number) {
  const slots = 2 ** Math.ceil(Math.log2(Math.max(16, links * 1.5)));
  const keys = new Float64Array(slots);
  /** Version + 1, negative if the link has no document at this version. 0: free slot. */
  const versions = new Float64Array(slots);
  let used = 0;
  return {
    /**
     * Records the next version of a link. Returns the version before, -1 if there was no version,
     * or `full`.
     */
    put(key: number, version: number, live: boolean): number {
      let slot = (key % 0x3fffffff) & (slots - 1);
      while (versions[slot] !== 0 && keys[slot] !== key) slot = (slot + 1) & (slots - 1);
      const before = versions[slot] ?? 0;
      if (before === 0) {
        used += 1;
        if (used >= slots) return full;
        keys[slot] = key;
      }
      versions[slot] = live ? version + 1 : -(version + 1);
      return Math.abs(before) - 1;
    },
    live: () => versions.reduce((sum, version) => sum + (version > 0 ? 1 : 0), 0),
  };
}

import type Database from "better-sqlite3";
import { randomBytes } from "node:crypto";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import type { ChainContent, SegmentSource } from "../engine/engine.js";
import { readSegment } from "./segment-file.js";

/** Which part of the links a pass looks at: memory is bounded whatever the number of links. */
interface Part {
  index: number;
  count: number;
}

interface Prune {
  version: number;
  time: number;
}

/**
 * Reads the links, versions and times of all rows of a chain, and checks what they promise only together: that the versions of
 * each link grow with time, none of them twice. Returns what a restore of all of it gives, without making an index.
 * BACKUP_DAMAGED names the row. The segments' own rows are checked elsewhere.
 */
export function checkChain(
  segments: readonly SegmentSource[],
  onRows: (rows: number) => void,
  linksAtOnce: number = limits.chainCheckLinks,
): ChainContent {
  // A finding may come from two links of one hash: it counts where another hash finds it too.
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

/** 0 stands for none. */
const earlier = (a: number, b: number) => (a === 0 ? b : b === 0 ? a : Math.min(a, b));

type Finding = { problem: string; segment: SegmentSource };

function readPart(
  segments: readonly SegmentSource[],
  part: Part,
  hash: (link: string) => number,
  onRows: (rows: number) => void,
): ChainContent | Finding {
  const isOfPart = (key: number) => key % part.count === part.index;
  const prunes = new Map<number, Prune>();
  const content: ChainContent = {
    documents: 0,
    versions: 0,
    firstMicros: 0,
    prunedUntilMicros: 0,
    prunedSinceMicros: 0,
  };
  for (const segment of segments) {
    readSegment(segment, (db) => {
      for (const [link, version, time, since, until] of pruneRows(db)) {
        const key = hash(link);
        if (!isOfPart(key)) continue;
        prunes.set(key, { version, time });
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
        if (rows % reportRows === 0) onRows(reportRows);
        const key = hash(link);
        if (!isOfPart(key)) continue;
        const prune = prunes.size === 0 ? undefined : prunes.get(key);
        const removed = prune !== undefined && version <= prune.version && time < prune.time;
        const before = table.put(key, version, !deleted && !removed);
        if (before === full) return "it has more links than rows";
        if (before >= version)
          return `version ${version} of ${JSON.stringify(link)} comes after version ${before}`;
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

const reportRows = 10_000;

const pruneRows = (db: Database.Database) =>
  db
    .prepare("SELECT link, version, time, since, until FROM prune")
    .raw()
    .iterate() as IterableIterator<[string, number, number, number, number]>;

const logRows = (db: Database.Database) =>
  db
    .prepare("SELECT time, link, version, action = 'DELETE' FROM log ORDER BY time")
    .raw()
    .iterate() as IterableIterator<[number, string, number, number]>;

/** 53 bits of a link, different ones each time, so that colliding links cannot be chosen. */
function linkHash(): (link: string) => number {
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

/** Open addressing over two arrays of numbers: a Map of as many strings takes ten times the memory. */
function versionTable(links: number) {
  const slots = 2 ** Math.ceil(Math.log2(Math.max(16, links * 1.5)));
  const keys = new Float64Array(slots);
  /** Version and one, negative where it is no document. 0: free. */
  const versions = new Float64Array(slots);
  let used = 0;
  return {
    /** Takes note of a link's next version; returns the one before, -1 where there was none. */
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

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ChainContent, SegmentSource } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { temporaryPrefix } from "../io/durable-file.js";
import { requireFreeSpaceNow } from "../io/free-space.js";
import { limits } from "../limits.js";
import { earlier, isCompacted, readRows, type Compaction } from "./log-rows.js";
import { NumberFiles, numbersIn, onTemporaryDisk } from "./number-files.js";
import { damaged, readSegment } from "./segment-file.js";

/**
 * Checks the rows of a chain against each other: the versions of each link must increase with time.
 * Returns the counts and times that a restore of the whole chain would give, without building an
 * index. `checkRows` checks each row by itself. Blocks.
 *
 * Memory does not depend on the number of links, up to limits.comparedParts times `rowsAtOnce` of
 * them: the rows of a large chain are divided by the hashes of their links into files in the temporary
 * directory, which take 32 bytes for each row.
 *
 * @param onRows receives the number of rows read since the last call, and throws to cancel.
 * @param rowsAtOnce bounds the rows that are checked in memory.
 * Throws BACKUP_DAMAGED with an invalid version; STORAGE_FULL, STORAGE_FAILED.
 */
export function checkChain(
  segments: readonly SegmentSource[],
  temporaryDirectory: string,
  onRows: (rows: number) => void,
  rowsAtOnce: number = limits.chainCheckRows,
): ChainContent {
  const total = countRows(segments);
  const read = () => {
    const hash = linkHash();
    return total <= rowsAtOnce
      ? readAtOnce(segments, hash, onRows)
      : readInParts(segments, hash, onRows, temporaryDirectory, Math.ceil(total / rowsAtOnce));
  };
  if (total > rowsAtOnce)
    requireFreeSpaceNow(
      temporaryDirectory,
      total * recordNumbers * Float64Array.BYTES_PER_ELEMENT,
      "Checking the order of the versions",
    );
  // Two links may share a hash. A problem is real if it also appears with another hash.
  const first = read();
  const checked = "before" in first ? read() : first;
  if ("before" in checked) throw outOfOrder(segments, checked);
  return checked;
}

/** Rows and compactions, as stated. A check divides more than limits.chainCheckRows of them into temporary files. */
export const countRows = (segments: readonly SegmentSource[]): number =>
  segments.reduce((sum, { records, prunes }) => sum + records + prunes, 0);

/** The row at a time does not follow the version before it. */
interface OutOfOrder {
  time: number;
  before: number;
}

function outOfOrder(segments: readonly SegmentSource[], { time, before }: OutOfOrder): HostError {
  for (const segment of segments) {
    if (time <= segment.firstMicros || time > segment.lastMicros) continue;
    const row = readSegment(segment, (db) =>
      db
        .prepare<[number], { link: string; version: number }>(
          `SELECT substr(link, 1, ${limits.selfLinkBytes}) AS link, version FROM log WHERE time = ?`,
        )
        .get(time),
    );
    if (row === undefined) continue;
    const link = JSON.stringify(row.link);
    return damaged(segment, `version ${row.version} of ${link} follows version ${before}`);
  }
  return new HostError("BACKUP_DAMAGED", `The backup has no row at ${time}. Use another backup.`);
}

type Hash = (link: string) => number;

function readAtOnce(
  segments: readonly SegmentSource[],
  hash: Hash,
  onRows: (rows: number) => void,
): ChainContent | OutOfOrder {
  const states = new LinkVersions();
  let problem: OutOfOrder | undefined;
  const window = readRows(segments, onRows, {
    compaction: (link, version, time) => states.compact(hash(link), version, time),
    version: (link, version, time, isDeleted) => {
      const before = states.follow(hash(link), version, time, isDeleted);
      if (before !== undefined) problem ??= { time, before };
      return problem === undefined;
    },
  });
  return problem ?? { ...window, ...states.counts() };
}

/** Numbers of a record of a part: a hash of the link, version, time, and what it is. */
const recordNumbers = 4;
const [compaction, live, deletion] = [0, 1, 2] as const;

function readInParts(
  segments: readonly SegmentSource[],
  hash: Hash,
  onRows: (rows: number) => void,
  temporaryDirectory: string,
  wantedParts: number,
): ChainContent | OutOfOrder {
  const directory = onTemporaryDisk(() =>
    mkdtempSync(join(temporaryDirectory, `${temporaryPrefix}chain-`)),
  );
  try {
    const count = Math.min(limits.comparedParts, wantedParts);
    const paths = Array.from({ length: count }, (_, part) => join(directory, String(part)));
    const files = new NumberFiles(paths);
    const put = (link: string, version: number, time: number, what: number) => {
      const key = hash(link);
      const part = key % count;
      files.append(part, key);
      files.append(part, version);
      files.append(part, time);
      files.append(part, what);
      return true;
    };
    let window;
    try {
      window = readRows(segments, onRows, {
        compaction: (link, version, time) => put(link, version, time, compaction),
        version: (link, version, time, isDeleted) =>
          put(link, version, time, isDeleted ? deletion : live),
      });
    } finally {
      files.close();
    }
    const content: ChainContent = { ...window, ...noCounts };
    const states = new LinkVersions();
    for (const path of paths) {
      const part = readPart(path, states, onRows);
      if ("before" in part) return part;
      rmSync(path);
      content.documents += part.documents;
      content.versions += part.versions;
      content.firstMicros = earlier(content.firstMicros, part.firstMicros);
    }
    return content;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function readPart(
  path: string,
  states: LinkVersions,
  onRows: (rows: number) => void,
): Counts | OutOfOrder {
  states.clear();
  // Each piece has whole records, since they divide limits.copyChunkBytes.
  for (const numbers of numbersIn(path)) {
    onRows(0);
    for (let i = 0; i < numbers.length; i += recordNumbers) {
      const [key = 0, version = 0, time = 0] = [numbers[i], numbers[i + 1], numbers[i + 2]];
      const what = numbers[i + 3];
      if (what === compaction) {
        states.compact(key, version, time);
        continue;
      }
      const before = states.follow(key, version, time, what === deletion);
      if (before !== undefined) return { time, before };
    }
  }
  return states.counts();
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

type Counts = Pick<ChainContent, "documents" | "versions" | "firstMicros">;
const noCounts: Counts = { documents: 0, versions: 0, firstMicros: 0 };

/** Follows the versions of links, by their hashes. */
class LinkVersions {
  private readonly compactions = new Map<number, Compaction>();
  private readonly last = new VersionTable();
  private sum = { ...noCounts };

  /** Forgets all links, and keeps the memory for others. */
  clear(): void {
    this.compactions.clear();
    this.last.clear();
    this.sum = { ...noCounts };
  }

  /** Call it for all compactions before the first version. */
  compact(key: number, version: number, time: number): void {
    this.compactions.set(key, { version, time });
  }

  /** Adds the next version in the order of times. Returns the version before it if that is not lower. */
  follow(key: number, version: number, time: number, isDeleted: boolean): number | undefined {
    const removed =
      this.compactions.size > 0 && isCompacted(this.compactions.get(key), version, time);
    const before = this.last.put(key, version, !isDeleted && !removed);
    if (before >= version) return before;
    if (removed) return undefined;
    this.sum.versions += 1;
    this.sum.firstMicros = earlier(this.sum.firstMicros, time);
    return undefined;
  }

  counts(): Counts {
    return { ...this.sum, documents: this.last.live() };
  }
}

/** A hash table with open addressing in two arrays of numbers, which grows. A Map takes ten times the memory. */
class VersionTable {
  private keys = new Float64Array(2 ** 12);
  /** Version + 1, negative if the link has no document at this version. 0: free slot. */
  private versions = new Float64Array(2 ** 12);
  private used = 0;

  /** Records the next version of a link. Returns the version before, -1 if there was no version. */
  put(key: number, version: number, isLive: boolean): number {
    const slot = this.slotOf(key);
    const before = this.versions[slot] ?? 0;
    this.keys[slot] = key;
    this.versions[slot] = isLive ? version + 1 : -(version + 1);
    if (before === 0) {
      this.used += 1;
      if (this.used > this.keys.length * 0.7) this.grow();
    }
    return Math.abs(before) - 1;
  }

  clear(): void {
    this.versions.fill(0);
    this.used = 0;
  }

  live(): number {
    return this.versions.reduce((sum, version) => sum + (version > 0 ? 1 : 0), 0);
  }

  private slotOf(key: number): number {
    const { keys, versions } = this;
    const mask = keys.length - 1;
    // Not the lowest bits, which are the same for many links of a part.
    let slot = (key % 0x3fffffff) & mask;
    while (versions[slot] !== 0 && keys[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  }

  private grow(): void {
    const { keys, versions } = this;
    this.keys = new Float64Array(keys.length * 2);
    this.versions = new Float64Array(keys.length * 2);
    for (let i = 0; i < keys.length; i += 1) {
      const version = versions[i] ?? 0;
      if (version === 0) continue;
      const slot = this.slotOf(keys[i] ?? 0);
      this.keys[slot] = keys[i] ?? 0;
      this.versions[slot] = version;
    }
  }
}

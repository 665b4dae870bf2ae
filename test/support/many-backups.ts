import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeManifest, type Segment } from "../../src/segment/manifest.js";
import { segmentName } from "../../src/segment/format.js";
import { sha256Of } from "../../src/io/sha256.js";

/** Of which index the backups are, and how many. */
export interface ManyBackups {
  indexId: string;
  lineage: string;
  count: number;
  /** Time of the newest, in microseconds since 1970. One hour is between two. */
  newestMicros: number;
}

/** Deltas after which a chain begins anew, as in real backups. */
const chain = 64;

/**
 * Writes the files of many backups, as a policy without retention would leave them after years: chains
 * of up to 64 deltas, each manifest with all segments of its chain. The segments have no contents.
 */
export function writeManyBackups(directory: string, many: ManyBackups): void {
  mkdirSync(directory, { recursive: true });
  const hourMicros = 3_600_000_000;
  const firstMicros = many.newestMicros - many.count * hourMicros;
  let segments: Segment[] = [];
  let previousManifestSha256 = "";
  for (let number = 1; number <= many.count; number += 1) {
    if (segments.length > chain) segments = [];
    const positionMicros = firstMicros + number * hourMicros;
    const bytes = Buffer.from(`segment ${number}`);
    const content = {
      kind: segments.length === 0 ? ("base" as const) : ("delta" as const),
      firstMicros: segments.at(-1)?.lastMicros ?? 0,
      lastMicros: positionMicros,
      sizeBytes: bytes.length,
      sha256: sha256Of(bytes),
      records: 1,
      prunes: 0,
    };
    const segment = { ...content, name: segmentName(content) };
    segments = [...segments, segment];
    const manifest = encodeManifest({
      number,
      indexId: many.indexId,
      indexLink: "/core/document-index",
      hostId: many.indexId,
      productVersion: "0.1.0",
      lineage: many.lineage,
      parents: [],
      createTimeMicros: positionMicros,
      positionMicros,
      window: { earliestMicros: firstMicros, latestMicros: positionMicros, historyStartMicros: 0 },
      documents: 1,
      versions: number,
      segments,
      previousManifestSha256,
    });
    previousManifestSha256 = manifest.sha256;
    writeFileSync(join(directory, segment.name), bytes);
    writeFileSync(join(directory, manifest.name), manifest.bytes);
  }
}

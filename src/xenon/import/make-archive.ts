import { checkSegments } from "../../segment/checks.js";
import { join } from "node:path";
import { openZipWriter } from "../../container/zip-writer.js";
import { FileDestination } from "../../destination/file/destination.js";
import type { Staging } from "../../segment/staging.js";
import { encodeManifest } from "../../segment/manifest.js";
import { segmentName } from "../../segment/format.js";
import type { Platform } from "../../io/platform.js";

const archiveName = "import.zip";

/** Options of makeArchive. */
export interface ArchiveRequest {
  staging: Staging;
  /** Existing directory for the archive and temporary files. */
  directory: string;
  /** Origin of the documents; used as index ID and host ID. */
  source: string;
  indexLink: string;
  productVersion: string;
}

/** The created archive. */
export interface MadeArchive {
  path: string;
  documents: number;
  versions: number;
  /** Versions whose time was changed because it was already in use. */
  movedTimes: number;
  positionMicros: number;
}

/**
 * Creates a backup of the staged versions as a host does for its index: packed, synced to disk and
 * read back.
 */
export async function makeArchive(
  platform: Platform,
  request: ArchiveRequest,
  signal: AbortSignal,
): Promise<MadeArchive> {
  const { staging, directory, source, indexLink, productVersion } = request;
  const path = join(directory, archiveName);
  const segmentPath = join(directory, "base.sqlite");
  await platform.files.removeTree(segmentPath);
  const base = staging.writeBase(segmentPath);
  try {
    const segment = { ...base.content, name: segmentName(base.content) };
    const { documents, versions, window, lastRecord, movedTimes } = base;
    const manifest = encodeManifest({
      number: 1,
      indexId: source,
      indexLink,
      hostId: source,
      productVersion,
      lineage: platform.randomId(),
      parents: [],
      createTimeMicros: platform.nowMicros(),
      positionMicros: segment.lastMicros,
      window,
      documents,
      versions,
      segments: [segment],
      previousManifestSha256: "",
      ...(lastRecord && { lastRecord }),
    });
    const writer = await openZipWriter(
      platform,
      {
        destination: new FileDestination({ platform, path: directory }),
        object: archiveName,
        index: { indexId: source, lineage: "", parents: [] },
      },
      signal,
    );
    try {
      await writer.commit([{ segment, path: segmentPath }], manifest, {
        signal,
        store: false,
        readBack: async (staged) =>
          void (await checkSegments([{ ...staged.segment, path: staged.path }], directory, signal)),
        onBytes: () => {},
      });
    } finally {
      await writer.close();
    }
    return { path, documents, versions, movedTimes, positionMicros: segment.lastMicros };
  } finally {
    await platform.files.removeTree(segmentPath);
  }
}

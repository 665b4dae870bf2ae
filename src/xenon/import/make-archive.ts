import { checkSegments } from "../../segment/checks.js";
import { join } from "node:path";
import { openZipWriter } from "../../container/zip-writer.js";
import { FileDestination } from "../../destination/file/destination.js";
import type { Staging } from "../../engine/engine.js";
import { encodeManifest } from "../../segment/manifest.js";
import { segmentName } from "../../segment/names.js";
import type { Platform } from "../../io/platform.js";

const archiveName = "import.zip";

export interface ArchiveRequest {
  staging: Staging;
  /** Has to exist; the archive and what it is made of lie in it. */
  directory: string;
  /** Where the documents come from: stands for the id of an index and of a host. */
  source: string;
  indexLink: string;
  productVersion: string;
}

export interface MadeArchive {
  path: string;
  documents: number;
  versions: number;
  /** Versions that could not keep their time, because another one had it. */
  movedTimes: number;
  positionMicros: number;
}

/** Makes a backup of staged versions, as a host makes one of its index: packed, durable, read back. */
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
          void (await checkSegments([{ ...staged.segment, path: staged.path }], signal)),
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

import { join } from "node:path";
import type { ContainerReader, StagedSegment } from "../container/container.js";
import { runEncoding } from "../encoding/encoding-call.js";
import type { SegmentSource } from "../engine/engine.js";
import { fileBytesOf, type Manifest, type Segment } from "../segment/manifest.js";
import { temporaryPrefix } from "../io/durable-file.js";
import { requireFreeSpace } from "../io/free-space.js";
import type { Platform } from "../io/platform.js";

/** Returns the space that segments take while they are fetched and decoded. */
export function fetchedBytes(segments: readonly Segment[]): number {
  return segments.reduce(
    (sum, segment) => sum + segment.sizeBytes + (segment.stored ? fileBytesOf(segment) : 0),
    0,
  );
}

/** Runs work on the segments of a backup as local files: in place if they are local, otherwise fetched and removed afterwards. */
export async function withSegmentFiles<T>(
  platform: Pick<Platform, "files" | "randomHex">,
  reader: ContainerReader,
  { segments }: Pick<Manifest, "segments">,
  temporaryDirectory: string,
  signal: AbortSignal,
  work: (segments: SegmentSource[]) => Promise<T>,
): Promise<T> {
  const inPlace = segments.map((segment) => reader.localPath?.(segment));
  const missing = segments.filter((_segment, i) => inPlace[i] === undefined);
  if (missing.length === 0)
    return work(segments.map((segment, i) => ({ ...segment, path: inPlace[i] ?? "" })));
  const fetched = join(temporaryDirectory, `${temporaryPrefix}fetched-${platform.randomHex(8)}`);
  try {
    await requireFreeSpace(
      platform.files,
      temporaryDirectory,
      fetchedBytes(missing),
      "Fetching the segments",
    );
    await platform.files.makeDirectory(fetched);
    const files = await fetchSegments(platform, reader, missing, fetched, signal);
    const sourceOf = new Map(files.map((file, i) => [missing[i], file]));
    return await work(
      segments.map((segment, i) => sourceOf.get(segment) ?? { ...segment, path: inPlace[i] ?? "" }),
    );
  } finally {
    await platform.files.removeTree(fetched).catch(() => {});
  }
}

/**
 * Fetches segments to new files in a directory, and decrypts and decompresses those that are stored so.
 * `onBytes` receives the number of bytes of files fetched since the last call. Throws IDENTITY_MISSING if
 * the reader has no key for one of them.
 */
export async function fetchSegments(
  { files }: Pick<Platform, "files">,
  reader: ContainerReader,
  segments: readonly Segment[],
  directory: string,
  signal: AbortSignal,
  onBytes?: (count: number) => void,
): Promise<SegmentSource[]> {
  const staged = segments.map((segment) => {
    const name = segment.stored ? `${segment.name}.stored` : segment.name;
    return { segment, path: join(directory, name) };
  });
  await reader.fetch(staged, signal, onBytes);
  const sources = await decode(reader, staged, directory, signal);
  await files.syncDirectory(directory);
  return sources;
}

async function decode(
  reader: ContainerReader,
  staged: readonly StagedSegment[],
  directory: string,
  signal: AbortSignal,
): Promise<SegmentSource[]> {
  const encoded = staged.flatMap(({ segment, path }) =>
    segment.stored
      ? [
          {
            source: path,
            target: join(directory, segment.name),
            name: segment.name,
            compression: segment.stored.compression,
            encrypted: segment.stored.encrypted,
            stored: segment.stored,
            maxBytes: segment.sizeBytes,
          },
        ]
      : [],
  );
  const decoded =
    encoded.length === 0
      ? []
      : await runEncoding(
          { kind: "decode", files: encoded, decryptWith: reader.decryptWith },
          signal,
        );
  const digests = new Map(encoded.map(({ name }, i) => [name, decoded[i]?.sha256 ?? ""]));
  return staged.map(({ segment, path }) =>
    segment.stored
      ? {
          ...segment,
          path: join(directory, segment.name),
          // The manifest of an encrypted segment has no digest of the database; that of the file was checked.
          sha256: segment.sha256 || (digests.get(segment.name) ?? ""),
        }
      : { ...segment, path },
  );
}

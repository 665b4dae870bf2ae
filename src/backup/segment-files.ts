import { join } from "node:path";
import type { ContainerReader } from "../container/container.js";
import type { SegmentSource } from "../engine/engine.js";
import type { Manifest } from "../segment/manifest.js";
import { temporaryPrefix } from "../io/durable-file.js";
import { requireFreeSpace } from "../io/free-space.js";
import type { Platform } from "../io/platform.js";

/** Runs work on the segments of a backup as local files: in place if they are local, otherwise fetched and removed afterwards. */
export async function withSegmentFiles<T>(
  platform: Pick<Platform, "files" | "randomHex">,
  reader: ContainerReader,
  { segments }: Pick<Manifest, "segments">,
  temporaryDirectory: string,
  signal: AbortSignal,
  work: (segments: SegmentSource[]) => Promise<T>,
): Promise<T> {
  const filesIn = (directory: string) =>
    segments.map((segment) => ({ segment, path: join(directory, segment.name) }));
  const { localPath } = reader;
  if (localPath)
    return work(segments.map((segment) => ({ ...segment, path: localPath(segment.name) })));
  const fetched = join(temporaryDirectory, `${temporaryPrefix}fetched-${platform.randomHex(8)}`);
  try {
    await requireFreeSpace(
      platform.files,
      temporaryDirectory,
      segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      "Fetching the segments",
    );
    await platform.files.makeDirectory(fetched);
    await reader.fetch(filesIn(fetched), signal);
    return await work(filesIn(fetched).map(({ segment, path }) => ({ ...segment, path })));
  } finally {
    await platform.files.removeTree(fetched).catch(() => {});
  }
}

import { join } from "node:path";
import type { ContainerReader } from "../container/container.js";
import type { SegmentSource } from "../engine/engine.js";
import type { Manifest } from "../segment/manifest.js";
import { temporaryPrefix } from "../io/durable-file.js";
import { requireRoom } from "../io/room.js";
import type { Platform } from "../io/platform.js";

/** The segments of a backup as files, for the length of the work: of a directory where they are, of an archive unpacked. */
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
  const sources = (directory: string) =>
    filesIn(directory).map(({ segment, path }) => ({ ...segment, path }));
  if (reader.kind === "DIRECTORY") return work(sources(reader.path));
  const unpacked = join(temporaryDirectory, `${temporaryPrefix}unpacked-${platform.randomHex(8)}`);
  try {
    await requireRoom(
      platform.files,
      temporaryDirectory,
      segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      "Unpacking the archive",
    );
    await platform.files.makeDirectory(unpacked);
    await reader.fetch(filesIn(unpacked), signal);
    return await work(sources(unpacked));
  } finally {
    await platform.files.removeTree(unpacked).catch(() => {});
  }
}

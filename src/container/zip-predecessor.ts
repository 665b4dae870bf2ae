import type { IndexIdentity } from "../engine/engine.js";
import { HostError } from "../errors.js";
import type { Manifest } from "../segment/manifest.js";
import { parseManifestName } from "../segment/format.js";
import type { OpenFile } from "../io/file-system.js";
import type { FoundManifest } from "./container.js";
import { openZipReader } from "./zip-reader.js";

/** What of a file is not an earlier backup of an index, and how to go on. */
const occupied = (path: string, problem: string, cause?: unknown) =>
  new HostError(
    "DESTINATION_OCCUPIED",
    `Cannot replace ${path}: ${problem}. The file is left as it is. Name another file, or move this one away.`,
    { metadata: { path }, cause },
  );

/**
 * The manifests of an archive that a backup of the index may replace: one that holds nothing but backups of this index, or of one that
 * it goes on from by a restore. Throws DESTINATION_OCCUPIED for any other file: there is no undoing what a backup has replaced.
 */
export async function readPredecessor(
  path: string,
  open: () => Promise<OpenFile>,
  index: IndexIdentity,
  signal: AbortSignal,
): Promise<FoundManifest[]> {
  const reader = await openZipReader(path, open).catch((error: unknown) => {
    const thrown = HostError.from(error);
    if (thrown.reason === "FORMAT_TOO_NEW") throw thrown;
    throw occupied(
      path,
      thrown.reason === "BACKUP_FROM_XENON"
        ? "it is a backup that Xenon made, or another archive with a Lucene index in it"
        : `it is not a sound backup of Holdfast (${thrown.message})`,
      error,
    );
  });
  try {
    const found = await reader.manifests(signal);
    for (const one of found) {
      if ("problem" in one)
        throw occupied(path, `its manifest ${one.name} cannot be read (${one.problem})`);
      if (!isPredecessor(one.file.manifest, index))
        throw occupied(
          path,
          `it holds a backup of another index, ${one.file.manifest.indexId} (${one.file.manifest.documents} documents), and this is one of ${index.indexId}`,
        );
    }
    const listed = new Set(
      found.flatMap((one) =>
        "file" in one ? one.file.manifest.segments.map(({ name }) => name) : [],
      ),
    );
    const stranger =
      reader.names.find((name) => parseManifestName(name) === undefined && !listed.has(name)) ??
      reader.otherEntries[0];
    if (stranger !== undefined)
      throw occupied(path, `beside a backup it holds ${JSON.stringify(stranger.slice(0, 200))}`);
    return found;
  } finally {
    await reader.close();
  }
}

function isPredecessor({ indexId, lineage }: Manifest, index: IndexIdentity): boolean {
  return (
    indexId === index.indexId ||
    index.parents.some((parent) => parent.indexId === indexId && parent.lineage === lineage)
  );
}

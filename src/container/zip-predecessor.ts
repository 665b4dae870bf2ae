import type { IndexIdentity } from "../engine/engine.js";
import { HostError } from "../errors.js";
import type { Manifest } from "../segment/manifest.js";
import { parseManifestName, signatureName } from "../segment/format.js";
import type { OpenFile } from "../io/file-system.js";
import type { FoundManifest } from "./container.js";
import { openZipReader } from "./zip-reader.js";

/** Returns the error for a file that is not an earlier backup of the index. */
const occupied = (path: string, problem: string, cause?: unknown) =>
  new HostError(
    "DESTINATION_OCCUPIED",
    `Cannot replace ${path}: ${problem}. The file was not changed. Use another path, or move the file away.`,
    { metadata: { path }, cause },
  );

/**
 * Returns the manifests of an archive that a backup of the index may replace: it contains only backups
 * of this index, or of an index from which this one was restored. Throws DESTINATION_OCCUPIED for
 * another file, because replacing a file cannot be undone.
 */
export async function readPredecessor(
  path: string,
  open: () => Promise<OpenFile>,
  index: IndexIdentity,
  signal: AbortSignal,
): Promise<FoundManifest[]> {
  const reader = await openZipReader(path, open).catch((error: unknown) => {
    const thrown = HostError.from(error);
    // A destination that cannot be read says nothing about its contents.
    const isUnread = thrown.code === "UNAVAILABLE" || thrown.code === "CANCELLED";
    if (thrown.reason === "FORMAT_TOO_NEW" || isUnread) throw thrown;
    throw occupied(
      path,
      thrown.reason === "BACKUP_FROM_XENON"
        ? "it is a backup of Xenon, or another archive with a Lucene index"
        : `it is not a valid backup of Holdfast (${thrown.message})`,
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
          `it contains a backup of another index, ${one.file.manifest.indexId} (${one.file.manifest.documents} documents), not of ${index.indexId}`,
        );
    }
    const listed = new Set(
      found.flatMap((one) =>
        "file" in one
          ? [signatureName(one.name), ...one.file.manifest.segments.map(({ name }) => name)]
          : [],
      ),
    );
    const foreignFile =
      reader.names.find((name) => parseManifestName(name) === undefined && !listed.has(name)) ??
      reader.otherEntries[0];
    if (foreignFile !== undefined)
      throw occupied(
        path,
        `besides a backup, it contains ${JSON.stringify(foreignFile.slice(0, 200))}`,
      );
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

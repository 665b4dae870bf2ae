import { HostError } from "../errors.js";
import { fromFileError } from "../io/file-error.js";
import { limits } from "../limits.js";
import { decodeManifest } from "../segment/manifest.js";
import { parseManifestName } from "../segment/format.js";
import type { FoundManifest } from "./container.js";
import { newestFirst } from "./newest-first.js";

/**
 * Reads every manifest in a list of names, newest first. `read` returns undefined for one that has
 * disappeared, which is skipped. A damaged manifest is reported, never skipped; one that cannot be
 * read for another reason is an error. BACKUP_FOREIGN if there are more manifests, or more bytes of
 * them, than hosts leave at a destination: contents of a destination are bounded before they are
 * read.
 */
export async function readManifests(
  names: readonly string[],
  read: (name: string) => Promise<Uint8Array | undefined>,
): Promise<FoundManifest[]> {
  const wanted = names
    .filter((name) => parseManifestName(name) !== undefined)
    .sort()
    .reverse();
  if (wanted.length > limits.manifestsPerDestination) {
    throw new HostError(
      "BACKUP_FOREIGN",
      `The destination holds ${wanted.length} manifests, more than any host leaves there.`,
    );
  }
  const found: FoundManifest[] = [];
  let bytesRead = 0;
  for (const name of wanted) {
    try {
      const bytes = await read(name);
      if (bytes === undefined) continue;
      bytesRead += bytes.length;
      if (bytesRead > limits.manifestsBytes) {
        throw new HostError(
          "BACKUP_FOREIGN",
          `The manifests at the destination take more than ${limits.manifestsBytes} bytes, more than any host leaves there.`,
        );
      }
      const { sha256, manifest } = decodeManifest(name, bytes);
      found.push({ name, file: { name, sha256, manifest } });
    } catch (error) {
      const thrown = HostError.from(fromFileError(error, `Reading the manifest ${name}`));
      if (thrown.reason !== "BACKUP_DAMAGED") throw thrown;
      found.push({ name, problem: thrown.message });
    }
  }
  return newestFirst(found);
}

/** Whether a name is one of Lucene's, which a Xenon backup consists of. */
export const isXenonFile = (name: string) => /^segments_\w+$/.test(name);

/** The error for a backup that Xenon made. */
export function xenonBackup(where: string): HostError {
  return new HostError(
    "BACKUP_FROM_XENON",
    `${where} is a backup made by Xenon (a Lucene index), which only Xenon can read. Restore it into a Xenon host, then copy the documents with: holdfast import --from-xenon`,
  );
}

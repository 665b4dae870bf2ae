import { HostError } from "../errors.js";
import { fromFileError } from "../io/file-error.js";
import { limits } from "../limits.js";
import { decodeManifest } from "../segment/manifest.js";
import { parseManifestName, signatureName } from "../segment/format.js";
import type { FoundManifest, ManifestTrust } from "./container.js";
import { newestFirst } from "./newest-first.js";

/** Reasons for not trusting a manifest. */
const untrusted: ReadonlySet<string> = new Set([
  "SIGNATURE_MISSING",
  "SIGNATURE_INVALID",
  "SIGNER_NOT_TRUSTED",
]);

/**
 * Reads the manifests in a list of names and returns them newest first. `read` returns undefined for a
 * file that does not exist any more. Damaged manifests, and those that `trust` refuses, are included with
 * their problem. Throws the
 * other errors of `read`, FORMAT_TOO_NEW, and BACKUP_FOREIGN if the manifests exceed the limits.
 */
export async function readManifests(
  names: readonly string[],
  read: (name: string) => Promise<Uint8Array | undefined>,
  trust?: ManifestTrust,
): Promise<FoundManifest[]> {
  const wanted = names
    .filter((name) => parseManifestName(name) !== undefined)
    .sort()
    .reverse();
  if (wanted.length > limits.manifestsPerDestination) {
    throw new HostError(
      "BACKUP_FOREIGN",
      `The destination contains ${wanted.length} manifests, which exceeds the limit of ${limits.manifestsPerDestination}.`,
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
          `The manifests at the destination exceed the limit of ${limits.manifestsBytes} bytes in total.`,
        );
      }
      const file = decodeManifest(name, bytes);
      if (trust) {
        const signature = signatureName(name);
        const text = names.includes(signature) ? await read(signature) : undefined;
        trust.check(file, text && Buffer.from(text).toString("latin1"));
      }
      const { sha256, manifest } = file;
      found.push({ name, file: { name, sha256, manifest } });
    } catch (error) {
      const thrown = HostError.from(fromFileError(error, `Reading the manifest ${name}`));
      if (untrusted.has(thrown.reason))
        found.push({ name, problem: thrown.message, reason: thrown.reason });
      else if (thrown.reason === "BACKUP_DAMAGED") found.push({ name, problem: thrown.message });
      else throw thrown;
    }
  }
  return newestFirst(found);
}

/** Whether a file name is that of a Lucene index, which a backup of Xenon consists of. */
export const isXenonFile = (name: string) => /^segments_\w+$/.test(name);

/** Returns the error for a backup that Xenon wrote. `where` is its path or URI. */
export function xenonBackup(where: string): HostError {
  return new HostError(
    "BACKUP_FROM_XENON",
    `${where} is a backup of Xenon (a Lucene index), which only Xenon can read. Restore it to a Xenon host, then copy the documents with: holdfast import --from-xenon`,
  );
}

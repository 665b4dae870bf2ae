import { HostError } from "../errors.js";
import { fromFileError } from "../io/file-error.js";
import { eachConcurrently } from "../io/each-concurrently.js";
import { limits } from "../limits.js";
import { decodeManifest, type KnownSegments } from "../segment/manifest.js";
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
 * Reads the manifests in a list of names, limits.manifestReads at a time, and returns them newest first.
 * `read` returns undefined for a file that does not exist any more. Damaged manifests, and those that
 * `trust` refuses, are included with their problem. Throws the other errors of `read`, FORMAT_TOO_NEW, and
 * BACKUP_FOREIGN if the manifests exceed the limits.
 */
export async function readManifests(
  names: readonly string[],
  read: (name: string) => Promise<Uint8Array | undefined>,
  signal: AbortSignal,
  trust?: ManifestTrust,
): Promise<FoundManifest[]> {
  const wanted = names
    .filter((name) => parseManifestName(name) !== undefined)
    .sort()
    .reverse();
  if (wanted.length > limits.manifestsRead) {
    throw new HostError(
      "BACKUP_FOREIGN",
      `The destination contains ${wanted.length} manifests, which exceeds the limit of ${limits.manifestsRead}.`,
    );
  }
  const all = new Set(names);
  // In the order of the names, whichever is read first.
  const found: (FoundManifest | undefined)[] = [];
  const known: KnownSegments = { segments: new Map(), sharedBytes: 0 };
  let bytesRead = 0;
  const readOne = async (name: string): Promise<FoundManifest | undefined> => {
    const bytes = await read(name);
    if (bytes === undefined) return undefined;
    bytesRead += bytes.length;
    if (bytesRead - known.sharedBytes > limits.manifestsBytes) {
      throw new HostError(
        "BACKUP_FOREIGN",
        `The manifests at the destination exceed the limit of ${limits.manifestsBytes} bytes in total.`,
      );
    }
    const file = decodeManifest(name, bytes, known);
    if (trust) {
      const signature = signatureName(name);
      const text = all.has(signature) ? await read(signature) : undefined;
      trust.check(file, text && Buffer.from(text).toString("latin1"));
    }
    const { sha256, manifest } = file;
    return { name, file: { name, sha256, manifest } };
  };
  await eachConcurrently(wanted.entries(), limits.manifestReads, signal, async ([i, name]) => {
    found[i] = await readOne(name).catch((error: unknown) => problemOf(name, error));
  });
  return newestFirst(found.filter((one) => one !== undefined));
}

/** Returns the entry for a manifest that cannot be used. Throws errors that concern more than this manifest. */
function problemOf(name: string, error: unknown): FoundManifest {
  const thrown = HostError.from(fromFileError(error, `Reading the manifest ${name}`));
  const { reason, message } = thrown;
  if (untrusted.has(reason)) return { name, problem: message, reason };
  if (reason === "BACKUP_DAMAGED") return { name, problem: message };
  throw thrown;
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

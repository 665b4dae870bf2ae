import type { Destination, ListedEntry } from "../destination/destination.js";
import { fetchObject, readObject } from "../destination/objects.js";
import { HostError } from "../errors.js";
import { eachConcurrently } from "../io/each-concurrently.js";
import type { Platform } from "../io/platform.js";
import { limits } from "../limits.js";
import {
  isEncryptedSegmentName,
  pinName,
  pinnedManifest,
  verificationName,
} from "../segment/format.js";
import { fileBytesOf, type Segment } from "../segment/manifest.js";
import type { ContainerReader, FoundManifest, ManifestTrust } from "./container.js";
import { isXenonFile, readManifests, xenonBackup } from "./manifests.js";

/** Retries of a listing whose manifests all disappeared before they were read. */
const listAttempts = 5;

/** Opens a container of type DIRECTORY, whose files are objects of a destination. */
export function openDirectoryReader(
  { files }: Pick<Platform, "files">,
  destination: Destination,
  trust?: ManifestTrust,
): ContainerReader {
  const pathOf = destination.localPath?.bind(destination);
  return {
    kind: "DIRECTORY",
    displayName: destination.displayName(),
    ...(pathOf && {
      localPath: ({ name, stored }: Segment) => (stored ? undefined : pathOf(name)),
    }),
    manifests: (signal) => manifestsAt(destination, signal, trust),
    hasEncryptedFiles: async (signal) =>
      (await namesIn(destination, signal)).some(isEncryptedSegmentName),
    sizesOf: (names, signal) => sizesIn(destination, names, signal),
    async fetch(wanted, signal, onBytes) {
      // Small segments of a remote destination take the time of their requests, not of their bytes.
      const atOnce = destination.localPath ? 1 : limits.segmentFetches;
      await eachConcurrently(wanted, atOnce, signal, async ({ segment, path }, either) => {
        const { name } = segment;
        const sizeBytes = fileBytesOf(segment);
        const options = { signal: either, maxBytes: sizeBytes };
        await fetchObject({ files }, destination, name, path, options);
        onBytes?.(sizeBytes);
      });
    },
    bytesOf: (segment, signal) =>
      destination.get(segment.name, { signal, end: fileBytesOf(segment) }),
    readSmall: (name, maxBytes, signal) => readObject(destination, name, maxBytes, signal),
    close: () => destination.close(),
  };
}

/** Returns the manifests that are pinned, in a list of the names of all objects. */
export function pinnedIn(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.flatMap((name) => pinnedManifest(name) ?? []));
}

/** Implements ContainerReader.sizesOf. */
async function sizesIn(
  destination: Destination,
  names: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  // One request lists many objects of a remote destination.
  if (!destination.localPath && names.length > 1) {
    const wanted = new Set(names);
    for await (const { name, sizeBytes } of destination.list({ signal, details: true }))
      if (wanted.has(name) && sizeBytes !== undefined) sizes.set(name, sizeBytes);
  }
  // A listing may be older than an object.
  for (const name of names) {
    if (sizes.has(name)) continue;
    const found = await destination.stat(name, signal);
    if (found !== undefined) sizes.set(name, found.sizeBytes);
  }
  return sizes;
}

/** Returns the names of all objects of a destination, sorted. */
export async function namesIn(destination: Destination, signal: AbortSignal): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of destination.list({ signal })) names.push(name);
  return names;
}

/** The manifests of a destination, newest first, and all of its objects. */
export interface Listing {
  manifests: FoundManifest[];
  /** With sizes if the destination is remote, whose listing has them. */
  entries: ListedEntry[];
}

/** Implements ContainerReader.manifests: those of listManifests. */
export async function manifestsAt(
  destination: Destination,
  signal: AbortSignal,
  trust?: ManifestTrust,
): Promise<FoundManifest[]> {
  return (await listManifests(destination, signal, trust)).manifests;
}

/**
 * Lists a destination and reads its manifests. Throws BACKUP_FROM_XENON for a directory that contains only
 * a backup of Xenon.
 */
export async function listManifests(
  destination: Destination,
  signal: AbortSignal,
  trust?: ManifestTrust,
  attemptsLeft = listAttempts,
): Promise<Listing> {
  const entries: ListedEntry[] = [];
  const details = destination.localPath === undefined;
  for await (const entry of destination.list({ signal, details })) entries.push(entry);
  const names = entries.map(({ name }) => name);
  let disappeared = false;
  const onMissing = () => void (disappeared = true);
  const found = await readManifestsOf(destination, names, signal, { onMissing, trust });
  // A backup may have replaced the manifest after the listing.
  if (disappeared && found.length === 0 && attemptsLeft > 0)
    return listManifests(destination, signal, trust, attemptsLeft - 1);
  if (found.length === 0 && names.some(isXenonFile)) throw xenonBackup(destination.displayName());
  const all = new Set(names);
  const manifests = found.map((one) => ({
    ...one,
    ...(all.has(pinName(one.name)) && { pinned: true }),
    ...(all.has(verificationName(one.name)) && { verified: true }),
  }));
  return { manifests, entries };
}

/**
 * Reads the manifests in a list of names, newest first. Leaves out those that do not exist, and reports
 * them to `onMissing`.
 */
export function readManifestsOf(
  destination: Destination,
  names: readonly string[],
  signal: AbortSignal,
  {
    onMissing = () => {},
    trust,
  }: { onMissing?: () => void; trust?: ManifestTrust | undefined } = {},
): Promise<FoundManifest[]> {
  const read = async (name: string) => {
    try {
      return await readObject(destination, name, limits.manifestBytes, signal);
    } catch (error) {
      if (!(error instanceof HostError) || error.reason !== "BACKUP_NOT_FOUND") throw error;
      onMissing();
      return undefined;
    }
  };
  return readManifests(names, read, signal, trust);
}

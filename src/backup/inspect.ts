import type { ContainerReader, FoundManifest } from "../container/container.js";
import { historyKey } from "../container/newest-first.js";
import { HostError } from "../errors.js";
import { formatTime } from "../io/time.js";
import { describeManifest, type BackupLocation } from "../segment/description.js";
import { fileBytesOf, type Manifest, type StoredManifest } from "../segment/manifest.js";
import { keptVerifications } from "./kept-verification.js";
import { readNotes } from "./notes.js";
import { pins } from "./pins.js";
import type { BackupListing } from "./listing.js";

export interface WantedManifest {
  /** Name of the manifest. Default: the newest. */
  name?: string | undefined;
  /** Preferred index, if the destination has backups of several. */
  indexLink?: string | undefined;
  /** IDs of the host's own indexes, whose backups take precedence over those of other hosts. */
  indexIds?: readonly string[];
}

/** A chosen manifest, with warnings about the choice. */
export interface ChosenManifest extends StoredManifest {
  warnings: string[];
}

/** Finds a backup at a destination. Throws BACKUP_NOT_FOUND, or BACKUP_DAMAGED if its manifest cannot be read; never falls back to an older backup. */
export async function findManifest(
  reader: ContainerReader,
  wanted: WantedManifest,
  signal: AbortSignal,
): Promise<ChosenManifest> {
  const { name } = wanted;
  const found = await reader.manifests(signal);
  const chosen =
    name === undefined ? newestOf(found, wanted) : found.find((one) => one.name === name);
  if (!chosen) {
    const what = name === undefined ? "There is no backup" : `There is no backup ${name}`;
    const why = name === undefined ? "no manifest exists" : "no manifest has this name";
    throw new HostError("BACKUP_NOT_FOUND", `${what} at ${reader.displayName}: ${why}.`, {
      metadata: {
        path: reader.displayName,
        ...(reader.kind === "DIRECTORY" && { directory: reader.displayName }),
      },
    });
  }
  if ("problem" in chosen) {
    const older =
      name === undefined && found.length > 1 ? " An older one may be named instead." : "";
    throw new HostError(chosen.reason ?? "BACKUP_DAMAGED", `${chosen.problem}${older}`, {
      metadata: { file: chosen.name },
    });
  }
  const { file } = chosen;
  return {
    ...file,
    warnings:
      name === undefined
        ? [...ambiguities(reader.displayName, file, found), ...ignored(reader.displayName, found)]
        : [],
  };
}

function newestOf(
  found: readonly FoundManifest[],
  { indexLink, indexIds = [] }: WantedManifest,
): FoundManifest | undefined {
  const conditions: ((manifest: Manifest) => boolean)[] = [
    (manifest) => indexLink === undefined || manifest.indexLink === indexLink,
    (manifest) => indexIds.includes(manifest.indexId),
  ];
  // Anybody who can write to the destination can add an untrusted manifest.
  const trusted = found.filter((one) => !("reason" in one));
  let left = trusted.length > 0 ? trusted : [...found];
  for (const holds of conditions) {
    const meets = (one: FoundManifest) => "problem" in one || holds(one.file.manifest);
    if (left.some((one) => "file" in one && meets(one))) left = left.filter(meets);
  }
  return left[0];
}

/** Warns of other lineages of the same link at the destination from which the chosen one does not descend. */
function ambiguities(
  path: string,
  { name, manifest }: StoredManifest,
  found: readonly FoundManifest[],
): string[] {
  const related = new Set([manifest, ...manifest.parents].map(historyKey));
  const others = found.flatMap((one) =>
    "file" in one &&
    one.file.manifest.indexLink === manifest.indexLink &&
    !related.has(historyKey(one.file.manifest))
      ? [one.file]
      : [],
  );
  const [other] = others;
  if (other === undefined) return [];
  const histories = new Set(others.map((one) => historyKey(one.manifest))).size + 1;
  return [
    `${path} contains backups of ${histories} lineages. Selected ${name}, the newest of index ${manifest.indexId}; another one is ${other.name} of index ${other.manifest.indexId}, at ${formatTime(other.manifest.positionMicros)}. Name the backup to select another one.`,
  ];
}

/** Warns of manifests that were not considered because they are not trusted. */
function ignored(where: string, found: readonly FoundManifest[]): string[] {
  const names = found.flatMap((one) => ("reason" in one ? [one.name] : []));
  const [first] = names;
  if (first === undefined) return [];
  return [
    `${where} contains ${names.length === 1 ? "a manifest" : `${names.length} manifests`} without the signature of a trusted signer, ${first} the first. ${names.length === 1 ? "It was" : "They were"} ignored.`,
  ];
}

const replacedAttempts = 5;

/**
 * Runs work on a backup that a concurrent backup may replace. If the work fails and the manifest no longer exists, repeats it
 * with the newest one. Throws SOURCE_CHANGED if the request names the manifest, or if it is replaced faster than it is read.
 * Other failures are thrown unchanged.
 */
export async function withManifest<T>(
  reader: ContainerReader,
  wanted: WantedManifest,
  signal: AbortSignal,
  work: (file: ChosenManifest) => Promise<T>,
  first?: ChosenManifest,
): Promise<T> {
  for (let left = replacedAttempts, file = first; ; left -= 1) {
    const chosen: ChosenManifest = file ?? (await findManifest(reader, wanted, signal));
    try {
      return await work(chosen);
    } catch (error) {
      if (signal.aborted || !(await isReplaced(reader, chosen.name, signal))) throw error;
      if (wanted.name === undefined && left > 0) {
        file = undefined;
        continue;
      }
      throw new HostError(
        "SOURCE_CHANGED",
        `The backup ${chosen.name} at ${reader.displayName} was replaced by a newer one during the read. Nothing was changed. Retry${wanted.name === undefined ? "" : " without a name, or with the name of the newer one"}.`,
        {
          metadata: { path: reader.displayName, name: chosen.name },
          cause: error,
        },
      );
    }
  }
}

/** An archive cannot be replaced during a read: its open file is read, even if another one takes its name. */
async function isReplaced(
  reader: ContainerReader,
  name: string,
  signal: AbortSignal,
): Promise<boolean> {
  if (reader.kind === "ZIP") return false;
  const found = await reader.manifests(signal).catch(() => []);
  return found.length > 0 && !found.some((one) => one.name === name);
}

/** Returns the location of what a reader reads, for descriptions. */
export function locationOf(
  { uri, container }: BackupLocation,
  { isDecrypted = false }: ContainerReader,
): BackupLocation {
  return { uri, container, ...(isDecrypted && { encryption: { recipients: [] } }) };
}

export async function listBackups(
  reader: ContainerReader,
  location: BackupLocation,
  signal: AbortSignal,
): Promise<BackupListing[]> {
  const where = locationOf(location, reader);
  const manifests = await reader.manifests(signal);
  const names = new Set(
    manifests.flatMap((found) => ("file" in found ? segmentNames(found.file.manifest) : [])),
  );
  const sizes = await reader.sizesOf([...names], signal);
  const verified = manifests.flatMap((found) => (found.verified ? [found.name] : []));
  const kept = await readNotes(reader, verified, keptVerifications, signal);
  const pinned = manifests.flatMap((found) => (found.pinned ? [found.name] : []));
  const known = await readNotes(reader, pinned, pins, signal);
  const listings = manifests.map((found): BackupListing => {
    const lastVerification = kept.get(found.name);
    return {
      ...listOne(where, found, sizes),
      ...(found.pinned && { pinned: true, pinReason: known.get(found.name)?.reason ?? "" }),
      ...(lastVerification && { lastVerification }),
    };
  });
  const damaged = listings.filter(({ state, backup }) => state === "DAMAGED" && backup);
  // An archive cannot be replaced during a read.
  if (damaged.length === 0 || reader.kind === "ZIP") return listings;
  // A backup that was replaced during the listing is not damaged; it no longer exists.
  const present = await reader.sizesOf(
    damaged.map(({ name }) => name),
    signal,
  );
  return listings.filter((one) => !damaged.includes(one) || present.has(one.name));
}

const segmentNames = ({ segments }: Manifest) => segments.map(({ name }) => name);

function listOne(
  location: BackupLocation,
  found: FoundManifest,
  sizes: ReadonlyMap<string, number>,
): BackupListing {
  if ("problem" in found)
    return {
      name: found.name,
      uri: location.uri,
      state: found.reason === undefined ? "DAMAGED" : "UNTRUSTED",
      problem: found.problem,
    };
  const backup = describeManifest(location, found.file);
  const problem = missingSegment(found.file.manifest, sizes);
  const common = { name: found.name, uri: location.uri, backup };
  return problem === undefined
    ? { ...common, state: "COMPLETE" }
    : { ...common, state: "DAMAGED", problem };
}

function missingSegment(
  manifest: Manifest,
  sizes: ReadonlyMap<string, number>,
): string | undefined {
  for (const segment of manifest.segments) {
    const { name } = segment;
    const sizeBytes = fileBytesOf(segment);
    const size = sizes.get(name);
    if (size === undefined) return `${name} is missing`;
    if (size !== sizeBytes) return `${name} has ${size} bytes, not ${sizeBytes}`;
  }
  return undefined;
}

/** Throws BACKUP_DAMAGED unless all segments are present with their sizes. An incremental archive needs its base sources. */
export async function requireSegments(
  reader: ContainerReader,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<void> {
  const names = segmentNames(manifest);
  const sizes = await reader.sizesOf(names, signal);
  for (const name of reader.kind === "ZIP" ? names : []) {
    if (sizes.has(name)) continue;
    throw new HostError(
      "BACKUP_DAMAGED",
      `The archive ${reader.displayName} does not contain ${name}, which its manifest lists. If the backup is incremental (since), add its earlier archives as base_sources; otherwise it is damaged, so use another backup.`,
      {
        metadata: { segment: name },
      },
    );
  }
  const missing = missingSegment(manifest, sizes);
  if (missing !== undefined)
    throw new HostError(
      "BACKUP_DAMAGED",
      `The backup at ${reader.displayName} is damaged: ${missing}. Use another backup.`,
    );
}

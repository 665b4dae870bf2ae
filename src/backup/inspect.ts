import type { ContainerReader, FoundManifest } from "../container/container.js";
import { HostError } from "../errors.js";
import type { Manifest, ManifestFile } from "../format/manifest.js";
import type { BackupDescription, BackupListing } from "./model.js";

/**
 * The backup asked for, or the newest one: of the index given, where there is one of it, since several indexes may be
 * backed up to one place. A damaged one is an error, never passed over for an older one.
 */
export async function findManifest(reader: ContainerReader, name: string | undefined, signal: AbortSignal, indexLink?: string): Promise<ManifestFile> {
  const found = await reader.manifests(signal);
  const mayBe = (one: FoundManifest) => "problem" in one || one.file.manifest.indexLink === indexLink;
  const newest = found.some((one) => "file" in one && mayBe(one)) ? found.find(mayBe) : found[0];
  const wanted = name === undefined ? newest : found.find((one) => one.name === name);
  if (!wanted) {
    const what = name === undefined ? "There is no backup" : `There is no backup ${name}`;
    throw new HostError("BACKUP_NOT_FOUND", `${what} at ${reader.path}: no such manifest is there.`, { metadata: { path: reader.path } });
  }
  if ("problem" in wanted) {
    const older = name === undefined && found.length > 1 ? " An older one may be named instead." : "";
    throw new HostError("BACKUP_DAMAGED", `${wanted.problem}${older}`, { metadata: { file: wanted.name } });
  }
  return wanted.file;
}

type Place = Pick<BackupDescription, "container" | "uri">;

export function describeManifest(place: Place, { name, sha256, manifest }: Pick<ManifestFile, "name" | "sha256" | "manifest">): BackupDescription {
  const { segments, previousManifestSha256: _previous, lastRecord: _last, ...facts } = manifest;
  return {
    ...facts,
    name,
    manifestSha256: sha256,
    uri: place.uri,
    container: place.container,
    sizeBytes: segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    segments: segments.map(({ prunes: _prunes, ...segment }) => segment),
  };
}

export async function listBackups(reader: ContainerReader, place: Place, signal: AbortSignal): Promise<BackupListing[]> {
  const listings: BackupListing[] = [];
  for (const found of await reader.manifests(signal)) listings.push(await listOne(reader, place, found));
  return listings;
}

async function listOne(reader: ContainerReader, place: Place, found: FoundManifest): Promise<BackupListing> {
  if ("problem" in found) return { name: found.name, uri: place.uri, state: "DAMAGED", problem: found.problem };
  const backup = describeManifest(place, found.file);
  const problem = await missingSegment(reader, found.file.manifest);
  const common = { name: found.name, uri: place.uri, backup };
  return problem === undefined ? { ...common, state: "COMPLETE" } : { ...common, state: "DAMAGED", problem };
}

async function missingSegment(reader: ContainerReader, manifest: Manifest): Promise<string | undefined> {
  for (const { name, sizeBytes } of manifest.segments) {
    const size = await reader.sizeOf(name);
    if (size === undefined) return `${name} is missing`;
    if (size !== sizeBytes) return `${name} has ${size} bytes, not ${sizeBytes}`;
  }
  return undefined;
}

/** BACKUP_DAMAGED unless all segments are there with their sizes. An archive that builds on others is not damaged: what it lacks lies in them. */
export async function requireSegments(reader: ContainerReader, manifest: Manifest): Promise<void> {
  for (const { name } of reader.kind === "ZIP" ? manifest.segments : []) {
    if ((await reader.sizeOf(name)) !== undefined) continue;
    throw new HostError("BACKUP_DAMAGED", `The archive ${reader.path} does not hold ${name}, which its manifest lists. If it was taken with since, name the archives that it builds on in base_sources; otherwise it is damaged, and another backup is to be used.`, {
      metadata: { segment: name },
    });
  }
  const missing = await missingSegment(reader, manifest);
  if (missing !== undefined) throw new HostError("BACKUP_DAMAGED", `The backup at ${reader.path} is damaged: ${missing}. Use another backup.`);
}

import type { LineageParent, RestorableWindow } from "../engine/engine.js";
import type { Compression } from "./format.js";
import {
  fileBytesOf,
  type Segment,
  type SegmentEncryption,
  type StoredManifest,
} from "./manifest.js";

/** How a backup is packed. STREAM: an archive sent over HTTP or HTTPS. */
export type ContainerKind = "ZIP" | "DIRECTORY" | "STREAM";

/** A segment of a backup. */
export interface SegmentDescription {
  name: string;
  kind: "base" | "delta";
  /** Size and digest of the SQLite database. The digest is "" if the segment is encrypted. */
  sizeBytes: number;
  sha256: string;
  /** Size of the file. Absent, like the next two: the file is the SQLite database. */
  storedBytes?: number;
  compression?: Compression;
  encrypted?: boolean;
  firstMicros: number;
  lastMicros: number;
  records: number;
}

/** A backup as users see it: its manifest and location. */
export interface BackupDescription {
  /** File name of the manifest, which is the name of the backup at its destination. */
  name: string;
  /** SHA-256 of the manifest file, in lower-case hexadecimal. */
  manifestSha256: string;
  number: number;
  uri: string;
  container: ContainerKind;
  indexId: string;
  indexLink: string;
  lineage: string;
  /** Oldest first. */
  parents: LineageParent[];
  hostId: string;
  productVersion: string;
  createTimeMicros: number;
  positionMicros: number;
  window: RestorableWindow;
  documents: number;
  versions: number;
  /** Size of the files of all segments. */
  sizeBytes: number;
  segments: SegmentDescription[];
  /** Absent: the backup is not encrypted. An archive does not name its recipients. */
  encryption?: SegmentEncryption | undefined;
}

/**
 * Location and packing of a backup. `encryption`: of an archive that is encrypted as a whole, which its
 * manifest does not state.
 */
export type BackupLocation = Pick<BackupDescription, "container" | "uri" | "encryption">;

/** Describes a backup by its location and manifest. */
export function describeManifest(
  { uri, container, encryption }: BackupLocation,
  { name, sha256, manifest }: StoredManifest,
): BackupDescription {
  const { segments, previousManifestSha256: _previous, lastRecord: _last, ...facts } = manifest;
  return {
    ...facts,
    ...(encryption && { encryption }),
    name,
    manifestSha256: sha256,
    uri,
    container,
    sizeBytes: segments.reduce((sum, segment) => sum + fileBytesOf(segment), 0),
    segments: segments.map(describeSegment),
  };
}

/** Many backups at a destination share a segment, which is described once. */
const described = new WeakMap<Segment, SegmentDescription>();

function describeSegment(segment: Segment): SegmentDescription {
  const before = described.get(segment);
  if (before) return before;
  const { prunes: _prunes, stored, ...facts } = segment;
  const description = {
    ...facts,
    ...(stored && {
      storedBytes: stored.sizeBytes,
      compression: stored.compression,
      encrypted: stored.encrypted,
    }),
  };
  described.set(segment, description);
  return description;
}

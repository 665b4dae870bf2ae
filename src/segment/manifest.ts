import { createHash } from "node:crypto";
import { create, fromJsonString, toJsonString } from "@bufbuild/protobuf";
import {
  ManifestSchema,
  SegmentKind,
  type Manifest as ManifestMessage,
} from "../../gen/ts/holdfast/backup/v1/manifest_pb.js";
import type { LineageParent, RowId, RestorableWindow, SegmentContent } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { isSegmentName, manifestName, parseManifestName, segmentName } from "./format.js";
import { formatVersion } from "./format.js";

/** A segment and its file name. */
export interface Segment extends SegmentContent {
  name: string;
}

/** A complete backup: the message of proto/holdfast/backup/v1 with numbers instead of bigints. */
export interface Manifest {
  number: number;
  indexId: string;
  indexLink: string;
  hostId: string;
  productVersion: string;
  lineage: string;
  parents: LineageParent[];
  createTimeMicros: number;
  positionMicros: number;
  window: RestorableWindow;
  documents: number;
  versions: number;
  /** A base, followed by deltas without gaps. */
  segments: Segment[];
  /** Empty for the first manifest at a destination. */
  previousManifestSha256: string;
  /** The last version in the log at the position. Absent if the log is empty. */
  lastRecord?: RowId;
}

/** A manifest with the name and digest of its file. */
export interface StoredManifest {
  name: string;
  sha256: string;
  manifest: Manifest;
}

/** A manifest with the bytes of its file. */
export interface ManifestFile extends StoredManifest {
  bytes: Uint8Array;
}

/** Encodes a manifest as its file. Equal manifests have equal bytes. */
export function encodeManifest(manifest: Manifest): ManifestFile {
  const message = create(ManifestSchema, {
    formatVersion,
    number: BigInt(manifest.number),
    indexId: manifest.indexId,
    indexLink: manifest.indexLink,
    hostId: manifest.hostId,
    productVersion: manifest.productVersion,
    lineage: manifest.lineage,
    parents: manifest.parents.map((parent) => ({
      ...parent,
      positionMicros: BigInt(parent.positionMicros),
    })),
    createTimeMicros: BigInt(manifest.createTimeMicros),
    positionMicros: BigInt(manifest.positionMicros),
    window: {
      earliestMicros: BigInt(manifest.window.earliestMicros),
      latestMicros: BigInt(manifest.window.latestMicros),
      historyStartMicros: BigInt(manifest.window.historyStartMicros),
      boundingLink: manifest.window.boundingLink ?? "",
    },
    documents: BigInt(manifest.documents),
    versions: BigInt(manifest.versions),
    segments: manifest.segments.map((segment) => ({
      name: segment.name,
      kind: segment.kind === "base" ? SegmentKind.BASE : SegmentKind.DELTA,
      sizeBytes: BigInt(segment.sizeBytes),
      sha256: segment.sha256,
      firstMicros: BigInt(segment.firstMicros),
      lastMicros: BigInt(segment.lastMicros),
      records: BigInt(segment.records),
      prunes: BigInt(segment.prunes),
    })),
    previousManifestSha256: manifest.previousManifestSha256,
    ...(manifest.lastRecord && {
      lastRecord: {
        timeMicros: BigInt(manifest.lastRecord.timeMicros),
        selfLink: manifest.lastRecord.link,
        version: BigInt(manifest.lastRecord.version),
        crc: manifest.lastRecord.crc,
      },
    }),
  });
  const bytes = Buffer.from(
    `${toJsonString(ManifestSchema, message, { prettySpaces: 2, alwaysEmitImplicit: true })}\n`,
  );
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { name: manifestName(manifest.number, sha256), sha256, bytes, manifest };
}

/**
 * Decodes a manifest file and checks its digest, names and ranges. Throws FORMAT_TOO_NEW for a newer
 * format, before any other field is checked, and BACKUP_DAMAGED for an invalid manifest.
 */
export function decodeManifest(name: string, bytes: Uint8Array): ManifestFile {
  const damaged = (problem: string, cause?: unknown) =>
    new HostError(
      "BACKUP_DAMAGED",
      `The manifest ${name} is damaged: ${problem}. Use another backup.`,
      { metadata: { file: name }, cause },
    );
  const expected = parseManifestName(name);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (!expected || !sha256.startsWith(expected.digestPrefix))
    throw damaged("its contents do not match its name");
  if (bytes.length > limits.manifestBytes)
    throw damaged(`its size of ${bytes.length} bytes exceeds the limit`);
  let message: ManifestMessage;
  try {
    message = fromJsonString(ManifestSchema, Buffer.from(bytes).toString("utf8"), {
      ignoreUnknownFields: true,
    });
  } catch (cause) {
    throw damaged("it is not valid JSON of a manifest", cause);
  }
  if (message.formatVersion > formatVersion) {
    throw new HostError(
      "FORMAT_TOO_NEW",
      `The backup ${name} has format ${message.formatVersion}; this host reads formats up to ${formatVersion}. Restore it with the version of Holdfast that wrote it, or a later one.`,
    );
  }
  const problem =
    message.formatVersion === formatVersion
      ? problemOf(message, expected.number)
      : `its format ${message.formatVersion} is unknown`;
  if (problem !== undefined) throw damaged(problem);
  return { name, sha256, bytes, manifest: toManifest(message) };
}

/**
 * Returns a problem that no valid manifest has. Checked before any file that the manifest names is
 * accessed.
 */
function problemOf(message: ManifestMessage, number: number): string | undefined {
  if (Number(message.number) !== number) return "its number differs from that in its name";
  if (!message.window || message.segments.length === 0) return "it lists no segments";
  let position = 0n;
  for (const [i, segment] of message.segments.entries()) {
    const kind = i === 0 ? SegmentKind.BASE : SegmentKind.DELTA;
    if (segment.kind !== kind || segment.firstMicros !== position)
      return `its segment ${i + 1} does not continue the previous segment`;
    if (segment.lastMicros < segment.firstMicros)
      return `its segment ${i + 1} ends before its start`;
    if (!/^[0-9a-f]{64}$/.test(segment.sha256) || !isSegmentName(segment.name))
      return `its segment ${i + 1} has an invalid name or digest`;
    if (segment.name !== segmentName(toSegment(segment)))
      return `the name of its segment ${i + 1} does not match its contents`;
    position = segment.lastMicros;
  }
  if (position !== message.positionMicros) return "its segments do not reach its position";
  return outOfRangeFieldOf(message, message.window);
}

const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * Returns a problem if a number or string is outside the limits: these are compared, added and
 * displayed later.
 */
function outOfRangeFieldOf(
  message: ManifestMessage,
  window: NonNullable<ManifestMessage["window"]>,
): string | undefined {
  const outside = (values: readonly bigint[], most: number) =>
    values.some((value) => value < 0n || value > BigInt(most));
  const counts = [
    message.documents,
    message.versions,
    ...message.segments.flatMap((segment) => [segment.sizeBytes, segment.records, segment.prunes]),
  ];
  if (message.number < 1n || message.number > BigInt(limits.maxManifestNumber))
    return `its number is not between 1 and ${limits.maxManifestNumber}`;
  if (outside(counts, Number.MAX_SAFE_INTEGER)) return "a count in it is out of range";
  const { lastRecord, parents } = message;
  const times = [
    ...[
      message.createTimeMicros,
      message.positionMicros,
      window.earliestMicros,
      window.latestMicros,
      window.historyStartMicros,
    ],
    ...parents.map(({ positionMicros }) => positionMicros),
    ...(lastRecord ? [lastRecord.timeMicros] : []),
  ];
  if (outside(times, limits.maxTimeMicros))
    return `a time in it is not between 0 and ${limits.maxTimeMicros}`;
  if (lastRecord && outside([lastRecord.version], Number.MAX_SAFE_INTEGER))
    return "the version of its last record is out of range";
  const texts = [
    message.indexId,
    message.indexLink,
    message.hostId,
    message.productVersion,
    message.lineage,
    window.boundingLink,
    ...parents.flatMap(({ indexId, lineage }) => [indexId, lineage]),
  ];
  if (texts.some((text) => text.length > limits.selfLinkBytes || controlCharacter.test(text)))
    return "a string in it is too long or contains control characters";
  return undefined;
}

function toSegment(segment: ManifestMessage["segments"][number]): Segment {
  return {
    name: segment.name,
    kind: segment.kind === SegmentKind.BASE ? "base" : "delta",
    sizeBytes: Number(segment.sizeBytes),
    sha256: segment.sha256,
    firstMicros: Number(segment.firstMicros),
    lastMicros: Number(segment.lastMicros),
    records: Number(segment.records),
    prunes: Number(segment.prunes),
  };
}

function toManifest(message: ManifestMessage): Manifest {
  const { window, lastRecord } = message;
  return {
    number: Number(message.number),
    indexId: message.indexId,
    indexLink: message.indexLink,
    hostId: message.hostId,
    productVersion: message.productVersion,
    lineage: message.lineage,
    parents: message.parents.map((parent) => ({
      indexId: parent.indexId,
      lineage: parent.lineage,
      positionMicros: Number(parent.positionMicros),
    })),
    createTimeMicros: Number(message.createTimeMicros),
    positionMicros: Number(message.positionMicros),
    window: {
      earliestMicros: Number(window?.earliestMicros ?? 0n),
      latestMicros: Number(window?.latestMicros ?? 0n),
      historyStartMicros: Number(window?.historyStartMicros ?? 0n),
      ...(window?.boundingLink && { boundingLink: window.boundingLink }),
    },
    documents: Number(message.documents),
    versions: Number(message.versions),
    segments: message.segments.map(toSegment),
    previousManifestSha256: message.previousManifestSha256,
    ...(lastRecord && {
      lastRecord: {
        timeMicros: Number(lastRecord.timeMicros),
        link: lastRecord.selfLink,
        version: Number(lastRecord.version),
        crc: lastRecord.crc,
      },
    }),
  };
}

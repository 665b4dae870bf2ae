import { create, fromJson, toJsonString, type JsonValue } from "@bufbuild/protobuf";
import {
  Compression as CompressionCode,
  ManifestSchema,
  SegmentKind,
  SegmentSchema,
  type Manifest as ManifestMessage,
  type Segment as SegmentMessage,
} from "../../gen/ts/holdfast/backup/v1/manifest_pb.js";
import type { LineageParent, RowId, RestorableWindow, SegmentContent } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { sha256Of } from "../io/sha256.js";
import { limits } from "../limits.js";
import {
  formatVersion,
  isSegmentName,
  manifestName,
  parseManifestName,
  segmentName,
  type Compression,
  type StoredForm,
} from "./format.js";

/** The first version with compressed and encrypted segments. */
const storedFormsVersion = 2;

/** A segment and its file name. Size and digest are those of the SQLite database. */
export interface Segment extends SegmentContent {
  name: string;
  /** How the file is stored. Absent: it is the SQLite database. If encrypted, the digest of the database is "". */
  stored?: StoredForm | undefined;
}

/** Returns the size and digest of the file of a segment. */
export function fileOf(segment: Pick<Segment, "sizeBytes" | "sha256" | "stored">): {
  sizeBytes: number;
  sha256: string;
} {
  const { sizeBytes, sha256 } = segment.stored ?? segment;
  return { sizeBytes, sha256 };
}

/** Returns the size of the file of a segment. */
export function fileBytesOf({ sizeBytes, stored }: Pick<Segment, "sizeBytes" | "stored">): number {
  return stored?.sizeBytes ?? sizeBytes;
}

/** How the segments of a backup are encrypted. */
export interface SegmentEncryption {
  /** Public keys, sorted. Empty: with a passphrase. */
  recipients: readonly string[];
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
  /** The last version in the log at the position. Absent if the log is empty or the backup is encrypted. */
  lastRecord?: RowId;
  /** Absent: the segments are not encrypted. */
  encryption?: SegmentEncryption | undefined;
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
  /** Text of the signature file. Absent: not signed. */
  signature?: string | undefined;
}

/** Encodes a manifest as its file. Equal manifests have equal bytes. */
export function encodeManifest(manifest: Manifest): ManifestFile {
  const isPlain = manifest.segments.every(({ stored }) => stored === undefined);
  const message = create(ManifestSchema, {
    // Older versions read a backup that has nothing new.
    formatVersion: isPlain && !manifest.encryption ? 1 : formatVersion,
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
      ...(segment.stored && {
        stored: {
          compression: compressionCodes[segment.stored.compression],
          sizeBytes: BigInt(segment.stored.sizeBytes),
          sha256: segment.stored.sha256,
        },
      }),
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
    ...(manifest.encryption && { encryption: { recipients: [...manifest.encryption.recipients] } }),
  });
  const bytes = Buffer.from(
    `${toJsonString(ManifestSchema, message, { prettySpaces: 2, alwaysEmitImplicit: true })}\n`,
  );
  const sha256 = sha256Of(bytes);
  return { name: manifestName(manifest.number, sha256), sha256, bytes, manifest };
}

/**
 * Segments that were decoded, by their JSON. The manifests of one destination list the same segments again
 * and again: each is then decoded, checked and kept once.
 */
export interface KnownSegments {
  segments: Map<string, Segment>;
  /** Bytes of JSON of segments that were known already. */
  sharedBytes: number;
}

/**
 * Decodes a manifest file and checks its digest, names and ranges. Throws FORMAT_TOO_NEW for a newer
 * format, before any other field is checked, and BACKUP_DAMAGED for an invalid manifest.
 */
export function decodeManifest(
  name: string,
  bytes: Uint8Array,
  known: KnownSegments = { segments: new Map(), sharedBytes: 0 },
): ManifestFile {
  const damaged = (problem: string, cause?: unknown) =>
    new HostError(
      "BACKUP_DAMAGED",
      `The manifest ${name} is damaged: ${problem}. Use another backup.`,
      { metadata: { file: name }, cause },
    );
  const expected = parseManifestName(name);
  const sha256 = sha256Of(bytes);
  if (!expected || !sha256.startsWith(expected.digestPrefix))
    throw damaged("its contents do not match its name");
  if (bytes.length > limits.manifestBytes)
    throw damaged(`its size of ${bytes.length} bytes exceeds the limit`);
  let message: ManifestMessage;
  let listed: JsonValue[];
  try {
    ({ message, listed } = readJson(Buffer.from(bytes).toString("utf8")));
  } catch (cause) {
    throw damaged("it is not valid JSON of a manifest", cause);
  }
  if (message.formatVersion > formatVersion) {
    throw new HostError(
      "FORMAT_TOO_NEW",
      `The backup ${name} has format ${message.formatVersion}; this host reads formats up to ${formatVersion}. Restore it with the version of Holdfast that wrote it, or a later one.`,
    );
  }
  if (message.formatVersion < 1) throw damaged(`its format ${message.formatVersion} is unknown`);
  const segments = listed.map((json, i) => {
    const segment = decodeSegment(json, known);
    if (typeof segment !== "string") return segment;
    throw damaged(`its segment ${i + 1} ${segment}`);
  });
  const problem = problemOf(message, segments, expected.number);
  if (problem !== undefined) throw damaged(problem);
  return { name, sha256, bytes, manifest: toManifest(message, segments) };
}

/** Separates the segments of a manifest from its other fields. */
function readJson(text: string): { message: ManifestMessage; listed: JsonValue[] } {
  const json = JSON.parse(text) as JsonValue;
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new TypeError("it is not an object");
  const { segments: listed = null, ...others } = json;
  if (listed !== null && !Array.isArray(listed)) throw new TypeError("its segments are no list");
  const message = fromJson(ManifestSchema, others, { ignoreUnknownFields: true });
  return { message, listed: listed ?? [] };
}

/** Returns a segment, or a problem that no valid one has. */
function decodeSegment(json: JsonValue, known: KnownSegments): Segment | string {
  const text = JSON.stringify(json);
  const before = known.segments.get(text);
  if (before) {
    known.sharedBytes += text.length;
    return before;
  }
  let message: SegmentMessage;
  try {
    message = fromJson(SegmentSchema, json, { ignoreUnknownFields: true });
  } catch {
    return "is not valid JSON of a segment";
  }
  const problem = segmentProblemOf(message);
  if (problem !== undefined) return problem;
  const segment = toSegment(message);
  if (segment.name !== segmentName(segment)) return "has a name that does not match its contents";
  known.segments.set(text, segment);
  return segment;
}

/** Returns a problem of one segment by itself. */
function segmentProblemOf(segment: SegmentMessage): string | undefined {
  const { stored, kind, firstMicros, lastMicros } = segment;
  if (kind !== SegmentKind.BASE && kind !== SegmentKind.DELTA) return "is of an unknown kind";
  const counts = [segment.sizeBytes, segment.records, segment.prunes, stored?.sizeBytes ?? 0n];
  if (outside(counts, Number.MAX_SAFE_INTEGER)) return "has a count out of range";
  if (outside([firstMicros, lastMicros], limits.maxTimeMicros)) return "has a time out of range";
  if (lastMicros < firstMicros) return "ends before its start";
  const isEncrypted = segment.name.endsWith(".age");
  if (isEncrypted && !stored) return "does not state how it is encrypted";
  if (isEncrypted && segment.sha256 !== "")
    return "is encrypted and states the digest of its database";
  const digests = [...(isEncrypted ? [] : [segment.sha256]), ...(stored ? [stored.sha256] : [])];
  if (!digests.every((one) => /^[0-9a-f]{64}$/.test(one)) || !isSegmentName(segment.name))
    return "has an invalid name or digest";
  if (stored && compressionOf[stored.compression] === undefined)
    return "has an unknown compression";
  if (stored && !isEncrypted && stored.compression === CompressionCode.UNSPECIFIED)
    return "has a stored form that is neither compressed nor encrypted";
  return undefined;
}

/**
 * Returns a problem that no valid manifest has. Checked before any file that the manifest names is
 * accessed.
 */
function problemOf(
  message: ManifestMessage,
  segments: readonly Segment[],
  number: number,
): string | undefined {
  if (Number(message.number) !== number) return "its number differs from that in its name";
  if (!message.window || segments.length === 0) return "it lists no segments";
  let position = 0;
  for (const [i, { kind, firstMicros, lastMicros, stored }] of segments.entries()) {
    if (kind !== (i === 0 ? "base" : "delta") || firstMicros !== position)
      return `its segment ${i + 1} does not continue the previous segment`;
    if (stored?.encrypted && !message.encryption)
      return `it does not state how its segment ${i + 1} is encrypted`;
    if (stored && message.formatVersion < storedFormsVersion)
      return `its format ${message.formatVersion} has no compressed or encrypted segments`;
    position = lastMicros;
  }
  if (BigInt(position) !== message.positionMicros) return "its segments do not reach its position";
  return outOfRangeFieldOf(message, message.window);
}

const outside = (values: readonly bigint[], most: number) =>
  values.some((value) => value < 0n || value > BigInt(most));

const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * Returns a problem if a number or string is outside the limits: these are compared, added and
 * displayed later.
 */
function outOfRangeFieldOf(
  message: ManifestMessage,
  window: NonNullable<ManifestMessage["window"]>,
): string | undefined {
  const counts = [message.documents, message.versions];
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
  const recipients = message.encryption?.recipients ?? [];
  if (
    recipients.length > limits.ageRecipients ||
    recipients.some((one) => !/^age1[a-z0-9]{1,2500}$/.test(one))
  )
    return "its list of recipients is invalid";
  if (texts.some((text) => text.length > limits.selfLinkBytes || controlCharacter.test(text)))
    return "a string in it is too long or contains control characters";
  return undefined;
}

function toSegment(segment: SegmentMessage): Segment {
  return {
    name: segment.name,
    kind: segment.kind === SegmentKind.BASE ? "base" : "delta",
    sizeBytes: Number(segment.sizeBytes),
    sha256: segment.sha256,
    firstMicros: Number(segment.firstMicros),
    lastMicros: Number(segment.lastMicros),
    records: Number(segment.records),
    prunes: Number(segment.prunes),
    ...(segment.stored && {
      stored: {
        compression: compressionOf[segment.stored.compression] ?? "none",
        encrypted: segment.name.endsWith(".age"),
        sizeBytes: Number(segment.stored.sizeBytes),
        sha256: segment.stored.sha256,
      },
    }),
  };
}

const compressionCodes: Record<Compression, CompressionCode> = {
  none: CompressionCode.UNSPECIFIED,
  gzip: CompressionCode.GZIP,
  zstd: CompressionCode.ZSTD,
};
/** An unknown code is not in the table. */
const compressionOf: Partial<Record<CompressionCode, Compression>> = {
  [CompressionCode.UNSPECIFIED]: "none",
  [CompressionCode.GZIP]: "gzip",
  [CompressionCode.ZSTD]: "zstd",
};

function toManifest(message: ManifestMessage, segments: Segment[]): Manifest {
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
    segments,
    previousManifestSha256: message.previousManifestSha256,
    ...(lastRecord && {
      lastRecord: {
        timeMicros: Number(lastRecord.timeMicros),
        link: lastRecord.selfLink,
        version: Number(lastRecord.version),
        crc: lastRecord.crc,
      },
    }),
    ...(message.encryption && { encryption: { recipients: message.encryption.recipients } }),
  };
}

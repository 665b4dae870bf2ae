import { basename, join } from "node:path";
import type { StagedSegment } from "../container/container.js";
import type { Destination } from "../destination/destination.js";
import { bestCompression, requireCompression } from "../encoding/compression.js";
import type { EncodeCall } from "../encoding/encode-file.js";
import {
  checkEncryptTo,
  runEncoding,
  type Encoded,
  type EncryptTo,
} from "../encoding/encoding-call.js";
import type { SegmentContent } from "../engine/engine.js";
import { limits } from "../limits.js";
import type { EncryptionRequest } from "./backup-request.js";
import { segmentName, type Compression } from "../segment/format.js";
import type { SegmentEncryption } from "../segment/manifest.js";

/** How the new segments of a backup are stored. */
export interface SegmentEncoding {
  compression: Compression;
  /** Absent: not encrypted. */
  encryptTo?: EncryptTo | undefined;
}

/**
 * Returns how segments are stored at a destination: in a local directory as SQLite databases, which are read
 * in place, unless a compression is chosen. Throws NOT_SUPPORTED for one that this version of Node lacks.
 */
export function encodingAt(
  { localPath }: Pick<Destination, "localPath">,
  { compression = localPath ? "none" : bestCompression, encryptTo }: Partial<SegmentEncoding>,
): SegmentEncoding {
  requireCompression(compression);
  return { compression, encryptTo };
}

/**
 * Returns who can decrypt a backup: as requested, otherwise as configured. Throws RECIPIENT_INVALID,
 * before any work, for what no file can be encrypted to.
 */
export async function requestedEncryption(
  request: EncryptionRequest | undefined,
  configured: EncryptTo | undefined,
): Promise<EncryptTo | undefined> {
  if (request?.disabled) return undefined;
  return request?.encryptTo ? checkEncryptTo(request.encryptTo) : configured;
}

/** Whether segments are stored as they are. */
export function isPlain({ compression, encryptTo }: SegmentEncoding): boolean {
  return compression === "none" && encryptTo === undefined;
}

/** Returns what a manifest states about encryption. A passphrase has no recipients. */
export function encryptionOf({
  encryptTo,
}: Pick<SegmentEncoding, "encryptTo">): SegmentEncryption | undefined {
  if (encryptTo === undefined) return undefined;
  return { recipients: "recipients" in encryptTo ? encryptTo.recipients : [] };
}

/**
 * Returns the directory in which the database of a segment is staged: that of the destination, unless it
 * will be encrypted. What should not be read there must never be written there in the clear, also not for
 * a while.
 */
export function stagingFor(
  { encryptTo }: SegmentEncoding,
  { stagingDirectory, temporaryDirectory }: StagingDirectories,
): string {
  return encryptTo === undefined ? stagingDirectory : temporaryDirectory;
}

/** Where segments are staged. */
export interface StagingDirectories {
  /** At a local destination in its file system, from which files are renamed. */
  stagingDirectory: string;
  /** In the data directory. */
  temporaryDirectory: string;
}

/**
 * Writes the stored form of a staged SQLite database to the staging directory, and verifies it by decoding
 * it. The rows of the database are for the caller to verify, and the database for the caller to remove.
 * Returns the database itself if it is stored as it is.
 */
export async function encodeSegment(
  { content, path }: { content: SegmentContent; path: string },
  encoding: SegmentEncoding,
  stagingDirectory: string,
  signal: AbortSignal,
): Promise<StagedSegment> {
  if (isPlain(encoding)) return { segment: { ...content, name: segmentName(content) }, path };
  const { compression, encryptTo } = encoding;
  const target = join(stagingDirectory, `${basename(path)}.stored`);
  const name = `the new ${content.kind}`;
  const call = { kind: "encode" as const, source: path, target, name, compression, encryptTo };
  const isSmall = encryptTo === undefined && content.sizeBytes <= limits.encodedInProcessBytes;
  const encoded = isSmall ? await encodeHere(call, signal) : (await runEncoding(call, signal))[0];
  const encrypted = encryptTo !== undefined;
  const stored = { compression, encrypted, sizeBytes: 0, sha256: "", ...encoded };
  // The digest of the database would let an observer test guesses about its content.
  const segment = { ...content, stored, ...(encrypted && { sha256: "" }) };
  return { segment: { ...segment, name: segmentName(segment) }, path: target };
}

/** A process takes longer to start than a small segment to be compressed. */
async function encodeHere(call: EncodeCall, signal: AbortSignal): Promise<Encoded> {
  const { encodeFile } = await import("../encoding/encode-file.js");
  return encodeFile(call, signal);
}

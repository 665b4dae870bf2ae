/**
 * Newest version of the manifest and of the tables of segments, which docs/format.md specifies. A reader
 * rejects a newer version. Version 2 added compressed and encrypted segments; a backup without them is
 * written as version 1.
 */
export const formatVersion = 2;

/** Compression of a stored segment. */
export type Compression = "none" | "gzip" | "zstd";

const compressionSuffix: Record<Compression, string> = { none: "", gzip: ".gz", zstd: ".zst" };

/** How a segment is stored. */
export interface StoredForm {
  compression: Compression;
  encrypted: boolean;
  /** Size and digest of the stored file. */
  sizeBytes: number;
  /** In lower-case hexadecimal. */
  sha256: string;
}

/**
 * Returns the file name of a segment. Names contain a digest of the contents of the file, so a file is
 * never rewritten under its name.
 */
export function segmentName(segment: {
  kind: "base" | "delta";
  firstMicros: number;
  lastMicros: number;
  sha256: string;
  stored?: StoredForm | undefined;
}): string {
  const { kind, firstMicros, lastMicros, stored } = segment;
  const digest = (stored?.sha256 ?? segment.sha256).slice(0, 16);
  const suffix = stored
    ? `${compressionSuffix[stored.compression]}${stored.encrypted ? ".age" : ""}`
    : "";
  return `${kind}-${firstMicros}-${lastMicros}-${digest}.sqlite${suffix}`;
}

/** Returns the file name of a manifest. */
export function manifestName(number: number, sha256: string): string {
  return `manifest-${String(number).padStart(10, "0")}-${sha256.slice(0, 16)}.json`;
}

/** Returns the file name of the signature of a manifest. */
export function signatureName(manifest: string): string {
  return `${manifest}.sig`;
}

/** Returns the file name of the pin of a manifest. */
export function pinName(manifest: string): string {
  return `${manifest}.pin`;
}

/** Returns the file name of the result of the last verification of a backup. */
export function verificationName(manifest: string): string {
  return `${manifest}.verified`;
}

/** Returns the names of the files that are removed with a manifest. */
export function companionNames(manifest: string): string[] {
  return [signatureName(manifest), verificationName(manifest)];
}

/** Returns the manifest that a file pins, or undefined for a name of another file. */
export function pinnedManifest(name: string): string | undefined {
  const manifest = name.endsWith(".pin") ? name.slice(0, -".pin".length) : "";
  return parseManifestName(manifest) && manifest;
}

const segmentPattern = /^(base|delta)-\d{1,16}-\d{1,16}-[0-9a-f]{16}\.sqlite(\.gz|\.zst)?(\.age)?$/;
const manifestPattern = /^manifest-(\d{10})-([0-9a-f]{16})\.json$/;

/** Whether a file name is that of a segment. */
export function isSegmentName(name: string): boolean {
  return segmentPattern.test(name);
}

/** Whether a file name is that of an encrypted segment. */
export function isEncryptedSegmentName(name: string): boolean {
  return isSegmentName(name) && name.endsWith(".age");
}

/**
 * Returns the number and the first 16 digits of the digest in the name of a manifest, or undefined
 * for another name.
 */
export function parseManifestName(
  name: string,
): { number: number; digestPrefix: string } | undefined {
  const match = manifestPattern.exec(name);
  return match?.[1] === undefined || match[2] === undefined
    ? undefined
    : { number: Number(match[1]), digestPrefix: match[2] };
}

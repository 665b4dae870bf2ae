/**
 * Version of the manifest and of the tables of segments, which docs/format.md specifies. A reader
 * rejects a newer version.
 */
export const formatVersion = 1;

/**
 * Returns the file name of a segment. Names contain a digest of the contents, so a file is never
 * rewritten under its name.
 */
export function segmentName(segment: {
  kind: "base" | "delta";
  firstMicros: number;
  lastMicros: number;
  sha256: string;
}): string {
  return `${segment.kind}-${segment.firstMicros}-${segment.lastMicros}-${segment.sha256.slice(0, 16)}.sqlite`;
}

/** Returns the file name of a manifest. */
export function manifestName(number: number, sha256: string): string {
  return `manifest-${String(number).padStart(10, "0")}-${sha256.slice(0, 16)}.json`;
}

const segmentPattern = /^(base|delta)-\d{1,16}-\d{1,16}-[0-9a-f]{16}\.sqlite$/;
const manifestPattern = /^manifest-(\d{10})-([0-9a-f]{16})\.json$/;

/** Whether a file name is that of a segment. */
export function isSegmentName(name: string): boolean {
  return segmentPattern.test(name);
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

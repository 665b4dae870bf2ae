/** The names of a backup's files. They identify contents: no file is ever rewritten under its name. */

export function segmentName(segment: {
  kind: "base" | "delta";
  firstMicros: number;
  lastMicros: number;
  sha256: string;
}): string {
  return `${segment.kind}-${segment.firstMicros}-${segment.lastMicros}-${segment.sha256.slice(0, 16)}.sqlite`;
}

export function manifestName(number: number, sha256: string): string {
  return `manifest-${String(number).padStart(10, "0")}-${sha256.slice(0, 16)}.json`;
}

const segmentPattern = /^(base|delta)-\d{1,16}-\d{1,16}-[0-9a-f]{16}\.sqlite$/;
const manifestPattern = /^manifest-(\d{10})-([0-9a-f]{16})\.json$/;

export function isSegmentName(name: string): boolean {
  return segmentPattern.test(name);
}

/** The number and the digest's beginning that a manifest's name promises; undefined: not a manifest's name. */
export function parseManifestName(
  name: string,
): { number: number; digestPrefix: string } | undefined {
  const match = manifestPattern.exec(name);
  return match?.[1] === undefined || match[2] === undefined
    ? undefined
    : { number: Number(match[1]), digestPrefix: match[2] };
}

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Formats a number with thousands separators. */
export const count = (value: number) => value.toLocaleString("en-US");
/** Formats milliseconds as seconds. */
export const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
/** Formats microseconds since 1970 as RFC 3339 in UTC. */
export const rfc3339 = (micros: number) =>
  new Date(Math.floor(micros / 1000))
    .toISOString()
    .replace("Z", `${String(micros % 1000).padStart(3, "0")}Z`);

/** Formats a size in bytes as kB or MB. */
export function size(bytes: number): string {
  return bytes < 1_000_000
    ? `${(bytes / 1000).toFixed(0)} kB`
    : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** Returns the files of a directory, or the file itself, with their sizes in bytes. */
export function filesOf(path: string): { name: string; bytes: number }[] {
  if (statSync(path).isFile()) return [{ name: path, bytes: statSync(path).size }];
  return readdirSync(path)
    .sort()
    .map((name) => ({ name, bytes: statSync(join(path, name)).size }));
}

/** Returns the total size of a file or directory, in bytes. */
export function bytesOf(path: string): number {
  return filesOf(path).reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Runs `work` and measures its duration in milliseconds. */
export async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const start = performance.now();
  const value = await work();
  return { value, ms: performance.now() - start };
}

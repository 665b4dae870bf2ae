import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

export const count = (value: number) => value.toLocaleString("en-US");
export const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
export const moment = (micros: number) => new Date(Math.floor(micros / 1000)).toISOString();

export function size(bytes: number): string {
  return bytes < 1_000_000
    ? `${(bytes / 1000).toFixed(0)} kB`
    : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** The files of a directory, or the one file, with their sizes. */
export function filesOf(path: string): { name: string; bytes: number }[] {
  if (statSync(path).isFile()) return [{ name: path, bytes: statSync(path).size }];
  return readdirSync(path)
    .sort()
    .map((name) => ({ name, bytes: statSync(join(path, name)).size }));
}

export function bytesOf(path: string): number {
  return filesOf(path).reduce((sum, { bytes }) => sum + bytes, 0);
}

export async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const begun = performance.now();
  const value = await work();
  return { value, ms: performance.now() - begun };
}

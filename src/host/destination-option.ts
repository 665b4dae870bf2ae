import { resolve } from "node:path";
import { filePathOf } from "../destination/file/uri.js";

/** Returns whether the value of an option that takes a directory or a URI is a URI. */
export function isUri(value: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]+:/.test(value);
}

/** Returns whether a value is a URI of an object store. */
export function isS3Uri(value: string): boolean {
  return /^s3(\+https?)?:/i.test(value);
}

/** Returns the directories among roots, each of which is a directory or a URI. */
export function directoriesOf(roots: readonly string[]): string[] {
  return roots.filter((root) => !isUri(root));
}

/** Returns the absolute path of a directory or file: URI; undefined for any other URI, and for no value. */
export function pathOfDestination(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (!isUri(value)) return resolve(value);
  return /^file:/i.test(value) ? filePathOf(value) : undefined;
}

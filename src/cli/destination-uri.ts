import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { HostError } from "../errors.js";

/**
 * Converts a destination or source from the command line to a URI: a path becomes a file: URI of
 * its absolute path, a URI stays as it is. Throws REQUEST_INVALID if it is blank, so that an unset
 * shell variable does not mean the working directory.
 */
export function toUri(given: string): string {
  if (given.trim() === "")
    throw new HostError(
      "REQUEST_INVALID",
      "The path or URI is empty. Name a file, a directory or a URI; check that shell variables are set.",
    );
  return /^[A-Za-z][A-Za-z0-9+.-]+:/.test(given) ? given : pathToFileURL(resolve(given)).href;
}

/** Whether a URI names backups that can be listed, and described without fetching them. */
export function isListable(uri: string): boolean {
  return /^(file|s3(\+https?)?):/i.test(uri);
}

/**
 * Formats a URI for display: a file: URI as its path, others without credentials and query, which
 * may be secret.
 */
export function displayUri(uri: string): string {
  if (!/^file:\/\/\//.test(uri))
    return uri.replace(/[?#].*$/s, "").replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/\/)[^/]*@/, "$1");
  try {
    return decodeURIComponent(uri.slice("file://".length));
  } catch {
    return uri;
  }
}

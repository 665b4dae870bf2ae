import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { HostError } from "../errors.js";

/** A URI as it is; a path as file: of its absolute one. Nothing, as of a variable that is not set, is not the working directory. */
export function toUri(given: string): string {
  if (given.trim() === "")
    throw new HostError(
      "REQUEST_INVALID",
      "The place is empty: name a file, a directory or a URI. (Is a variable of the shell not set?)",
    );
  return /^[A-Za-z][A-Za-z0-9+.-]+:/.test(given) ? given : pathToFileURL(resolve(given)).href;
}

/** What is shown of a place: a file's path, and others without user and query, which may hold a password. */
export function displayUri(uri: string): string {
  if (!/^file:\/\/\//.test(uri))
    return uri.replace(/[?#].*$/s, "").replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/\/)[^/]*@/, "$1");
  try {
    return decodeURIComponent(uri.slice("file://".length));
  } catch {
    return uri;
  }
}

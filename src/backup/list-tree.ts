import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { openDirectoryReader } from "../container/directory.js";
import { openZipReader } from "../container/zip-reader.js";
import { isWithin } from "../destination/file/roots.js";
import { HostError } from "../errors.js";
import { isSegmentName, parseManifestName } from "../segment/names.js";
import { temporaryPrefix } from "../io/durable-file.js";
import { fromFileError } from "../io/file-error.js";
import type { FileSystem } from "../io/file-system.js";
import type { Platform } from "../io/platform.js";
import { limits } from "../limits.js";
import { listBackups } from "./inspect.js";
import type { BackupListing, BackupState } from "./model.js";

/**
 * Everything below a directory that is a backup, was to become one, or lies where one should: directories of backups,
 * archives by the name .zip, and what Xenon made. What is left out has an entry of its own that says why. Undefined for a file: an archive has nothing below it. REQUEST_INVALID where
 * there is more than limits.listedFiles.
 */
export async function listTree(
  platform: Pick<Platform, "files">,
  root: string,
  signal: AbortSignal,
): Promise<BackupListing[] | undefined> {
  const { files } = platform;
  const found: BackupListing[] = [];
  let seen = 0;
  /** Real paths, so that links that lead back up end, and nothing is listed under two names. */
  const visited = new Set<string>();
  const links: { path: string; real: string; depth: number }[] = [];

  async function visit(directory: string, real: string, depth: number): Promise<void> {
    signal.throwIfAborted();
    visited.add(real);
    const names = (await files.list(directory)).sort();
    seen += names.length;
    if (seen > limits.listedFiles)
      throw new HostError(
        "REQUEST_INVALID",
        `There are more than ${limits.listedFiles} files below ${root}; name a directory further down.`,
      );
    found.push(...(await listDirectory(platform, directory, names, signal)));
    for (const name of names) {
      if (name.startsWith(temporaryPrefix)) continue;
      const path = join(directory, name);
      const kind = (await files.status(path))?.kind;
      if (kind === undefined && name.includes("\ufffd"))
        found.push(listingOf(path, "FOREIGN", "it is left out: its name is not UTF-8. Rename it"));
      else if (kind === "directory") await enter(path, real, depth + 1);
      else if (kind === "file" && /\.zip$/i.test(name))
        found.push(...(await listArchive(platform, path, signal)));
    }
  }

  /** Links are followed when all else has been listed by its own name. */
  async function enter(path: string, parent: string, depth: number): Promise<void> {
    const real = await files.realPath(path);
    if (real !== join(parent, basename(path))) links.push({ path, real, depth });
    else if (!visited.has(real)) await visitWithin(path, real, depth);
  }

  async function visitWithin(path: string, real: string, depth: number): Promise<void> {
    if (depth > limits.listedDepth)
      found.push(
        listingOf(
          path,
          "FOREIGN",
          `it is left out: it lies more than ${limits.listedDepth} directories below ${root}. List it by itself`,
        ),
      );
    else
      await visit(path, real, depth).catch((error: unknown) => found.push(unreadable(path, error)));
  }

  try {
    const status = await files.status(root);
    if (status === undefined)
      throw new HostError("BACKUP_NOT_FOUND", `There is no directory ${root}.`, {
        metadata: { path: root },
      });
    if (status.kind === "file") return undefined;
    const realRoot = await files.realPath(root);
    await visit(root, realRoot, 0);
    for (let link = links.shift(); link; link = links.shift()) {
      if (!visited.has(link.real) && !isWithin(link.real, realRoot))
        await visitWithin(link.path, link.real, link.depth);
    }
    for (const listing of found) {
      if (listing.backup === undefined) listing.modifiedMicros = await modifiedOf(files, listing);
    }
    return found;
  } catch (error) {
    throw fromFileError(error, `Listing ${root}`);
  }
}

const listingOf = (path: string, state: BackupState, problem: string): BackupListing => ({
  name: basename(path),
  uri: pathToFileURL(path).href,
  state,
  problem,
});

/** What is thrown on the way is told of the place where it happened: the rest is listed all the same. */
function unreadable(path: string, error: unknown): BackupListing {
  const thrown = HostError.from(fromFileError(error, `Reading ${path}`));
  // A listing that was called off, or is too long, is none.
  if (
    thrown.reason === "OPERATION_CANCELLED" ||
    thrown.reason === "REQUEST_INVALID" ||
    thrown.reason === "INTERNAL"
  )
    throw thrown;
  // What may not be read, or could not be this time, is not damaged.
  return listingOf(path, thrown.code === "DATA_LOSS" ? "DAMAGED" : "FOREIGN", thrown.message);
}

async function listDirectory(
  platform: Pick<Platform, "files">,
  directory: string,
  names: string[],
  signal: AbortSignal,
): Promise<BackupListing[]> {
  const place = { uri: pathToFileURL(directory).href, container: "DIRECTORY" as const };
  if (names.some((name) => parseManifestName(name) !== undefined || /^segments_\w+$/.test(name))) {
    return listBackups(openDirectoryReader(platform, directory), place, signal).catch(
      (error: unknown) => [unreadable(directory, error)],
    );
  }
  const left = names.filter(
    (name) => isSegmentName(name) || name.startsWith(temporaryPrefix),
  ).length;
  if (left === 0) return [];
  return [
    listingOf(
      directory,
      "INCOMPLETE",
      `${left} files of a backup and no manifest: it is being made, or was cut off; the next backup there removes what is left`,
    ),
  ];
}

async function listArchive(
  platform: Pick<Platform, "files">,
  path: string,
  signal: AbortSignal,
): Promise<BackupListing[]> {
  try {
    const reader = await openZipReader(platform, path);
    try {
      return await listBackups(reader, { uri: pathToFileURL(path).href, container: "ZIP" }, signal);
    } finally {
      await reader.close();
    }
  } catch (error) {
    const listing = unreadable(path, error);
    const begin = listing.state === "FOREIGN" ? await beginOf(platform.files, path) : "";
    if (begin === "empty")
      return [listingOf(path, "INCOMPLETE", "it is empty: it is being written, or was cut off")];
    // Its end is what is missing first of an archive that was cut off.
    return [
      begin === "PK" && /its end is missing/.test(listing.problem ?? "")
        ? { ...listing, state: "DAMAGED" }
        : listing,
    ];
  }
}

async function beginOf(files: FileSystem, path: string): Promise<string> {
  const file = await files.openToRead(path);
  try {
    const buffer = Buffer.alloc(2);
    const count = await file.read(buffer, 0);
    return count === 0 ? "empty" : buffer.toString("latin1", 0, count);
  } finally {
    await file.close();
  }
}

async function modifiedOf(files: FileSystem, { uri }: BackupListing): Promise<number> {
  const status = await files.status(
    new URL(uri).pathname.split("/").map(decodeURIComponent).join("/"),
  );
  return status === undefined ? 0 : Math.floor(status.modifiedMs * 1000);
}

import { isReplaceable } from "../container/zip-reader.js";
import { filePathOf, schemeOf } from "../destination/file-uri.js";
import { requireParent } from "../destination/parent.js";
import { isWithin, resolveInRoots, type Roots } from "../destination/roots.js";
import { HostError } from "../errors.js";
import type { Seams } from "../io/seams.js";
import type { OpenOption } from "./open-options.js";

export interface FilePlaces {
  roots: Roots;
  /** With its links resolved: nothing of it is read or written but below the directory for automatic backups. */
  dataDirectory: string;
  autoBackupDirectory: string;
}

const required = () => new HostError("REQUEST_INVALID", "file scheme uri is required", { metadata: { field: "localFileUri" } });

/** The path of a localFileUri with its links resolved, inside the roots and outside the data directory. */
export async function targetPath({ files }: Pick<Seams, "files">, places: FilePlaces, uri: string): Promise<string> {
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:/.test(uri) || schemeOf(uri) !== "file") throw required();
  const path = await resolveInRoots(files, places.roots, filePathOf(uri));
  if (isWithin(path, places.dataDirectory) && !isWithin(path, places.autoBackupDirectory)) {
    throw new HostError("DESTINATION_OCCUPIED", `${path} lies in the data directory of this host, which is nobody else's; name another place.`, { metadata: { path } });
  }
  return path;
}

/**
 * Throws unless a file may be put at the path by these options. What is there is only replaced if it is empty, a ZIP that
 * holds a backup, or what was put there under the same link (`published`: its version).
 */
export async function checkTarget(seams: Pick<Seams, "files">, path: string, options: readonly OpenOption[], published: string | undefined): Promise<void> {
  const problem = (reason: "DESTINATION_OCCUPIED" | "DESTINATION_MISSING", text: string) => new HostError(reason, text, { metadata: { path } });
  if (!options.includes("WRITE")) throw new HostError("REQUEST_INVALID", `The fileOptions of this service have no WRITE: it is for reading.`, { metadata: { field: "fileOptions" } });
  const status = await seams.files.status(path);
  if (status === undefined) {
    if (!options.includes("CREATE") && !options.includes("CREATE_NEW")) throw problem("DESTINATION_MISSING", `${path} does not exist, and the fileOptions have no CREATE.`);
    return requireParent(seams.files, path);
  }
  if (options.includes("CREATE_NEW")) throw problem("DESTINATION_OCCUPIED", `${path} exists, and the fileOptions have CREATE_NEW.`);
  if (status.kind !== "file") throw problem("DESTINATION_OCCUPIED", `${path} is no file.`);
  if (status.version === published || (await isReplaceable(seams, path))) return;
  throw problem("DESTINATION_OCCUPIED", `${path} exists and is no backup; it is left alone. Name another file, or move it away.`);
}

import { filePathOf, schemeOf } from "../../destination/file/uri.js";
import { dirname } from "node:path";
import { requireParent } from "../../destination/file/parent.js";
import { isWithin, resolveInRoots, type Roots } from "../../destination/file/roots.js";
import { HostError } from "../../errors.js";
import { parseManifestName } from "../../segment/names.js";
import type { Platform } from "../../io/platform.js";
import type { OpenOption } from "./open-options.js";

export interface FilePlaces {
  /** Absent: no file may be named, since nobody has said where they may lie. */
  roots?: Roots | undefined;
  /** With their links resolved: directories and files of which nothing is read or written. */
  closed: readonly string[];
}

const required = () =>
  new HostError("REQUEST_INVALID", "file scheme uri is required", {
    metadata: { field: "localFileUri" },
  });

/**
 * The path of a localFileUri with its links resolved: inside the roots, outside of what is the host's own or secret, and not among the
 * files of a directory backup, which only its host writes. PATH_OUTSIDE_ROOTS or DESTINATION_OCCUPIED.
 */
export async function targetPath(
  { files }: Pick<Platform, "files">,
  places: FilePlaces,
  uri: string,
): Promise<string> {
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:/.test(uri) || schemeOf(uri) !== "file") throw required();
  if (places.roots === undefined)
    throw new HostError(
      "PATH_OUTSIDE_ROOTS",
      "This host serves no files: it has tokens and no file root. Start it with --file-root DIR.",
      { metadata: { field: "localFileUri" } },
    );
  const path = await resolveInRoots(files, places.roots, filePathOf(uri));
  if (places.closed.some((one) => isWithin(path, one))) {
    throw new HostError(
      "DESTINATION_OCCUPIED",
      `Cannot serve ${path}: it is the data directory of this host, lies in it or in a backup destination, or holds a secret of the host. Name another file.`,
      { metadata: { path } },
    );
  }
  const beside = await files.list(dirname(path)).catch(() => []);
  if (beside.some((name) => parseManifestName(name) !== undefined)) {
    throw new HostError(
      "DESTINATION_OCCUPIED",
      `Cannot serve ${path}: its directory holds a backup, whose files only the host that made it writes. Name a file in another directory.`,
      { metadata: { path } },
    );
  }
  return path;
}

/**
 * Throws unless a file may be put at the path by these options. What is there is only replaced if it is empty or was put there
 * through /local-files (`isOurs`: by its version): a backup may be the only copy of what somebody else keeps there.
 */
export async function checkTarget(
  platform: Pick<Platform, "files">,
  path: string,
  options: readonly OpenOption[],
  isOurs: (version: string) => boolean,
): Promise<void> {
  const problem = (reason: "DESTINATION_OCCUPIED" | "DESTINATION_MISSING", text: string) =>
    new HostError(reason, text, { metadata: { path } });
  if (!options.includes("WRITE"))
    throw new HostError(
      "REQUEST_INVALID",
      `The fileOptions of this service have no WRITE: it is for reading.`,
      { metadata: { field: "fileOptions" } },
    );
  const status = await platform.files.status(path);
  if (status === undefined) {
    if (!options.includes("CREATE") && !options.includes("CREATE_NEW"))
      throw problem(
        "DESTINATION_MISSING",
        `${path} does not exist, and the fileOptions have no CREATE.`,
      );
    return requireParent(platform.files, path);
  }
  if (options.includes("CREATE_NEW"))
    throw problem("DESTINATION_OCCUPIED", `${path} exists, and the fileOptions have CREATE_NEW.`);
  if (status.kind !== "file") throw problem("DESTINATION_OCCUPIED", `${path} is no file.`);
  if (status.sizeBytes === 0 || isOurs(status.version)) return;
  throw problem(
    "DESTINATION_OCCUPIED",
    `Cannot replace ${path}: it was not written through /local-files, or was changed since. It is left as it is. Name another file, or move this one away.`,
  );
}

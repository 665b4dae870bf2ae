import { filePathOf, schemeOf } from "../../destination/file/uri.js";
import { dirname } from "node:path";
import { requireParent } from "../../destination/file/destination.js";
import { isWithin, resolveInRoots, type Roots } from "../../destination/file/roots.js";
import { HostError } from "../../errors.js";
import { parseManifestName } from "../../segment/format.js";
import type { Platform } from "../../io/platform.js";
import type { OpenOption } from "./open-options.js";

/** Which paths file services may use. */
export interface FilePathRules {
  /** Directories that may contain files. If undefined, file services are disabled. */
  roots?: Roots | undefined;
  /** Paths that must not be read or written, with symbolic links resolved. */
  closed: readonly string[];
}

const required = () =>
  new HostError("REQUEST_INVALID", "file scheme uri is required", {
    metadata: { field: "localFileUri" },
  });

/**
 * Resolves a localFileUri to a path without symbolic links. It must be inside the roots, outside
 * the host's own and secret files, and not in the directory of a backup, which only its host may
 * write. Throws REQUEST_INVALID, PATH_OUTSIDE_ROOTS or DESTINATION_OCCUPIED.
 */
export async function targetPath(
  { files }: Pick<Platform, "files">,
  rules: FilePathRules,
  uri: string,
): Promise<string> {
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:/.test(uri) || schemeOf(uri) !== "file") throw required();
  if (rules.roots === undefined)
    throw new HostError(
      "PATH_OUTSIDE_ROOTS",
      "File services are disabled on this host because it has tokens but no file root. Start it with --file-root DIR.",
      { metadata: { field: "localFileUri" } },
    );
  const path = await resolveInRoots(files, rules.roots, filePathOf(uri));
  if (rules.closed.some((one) => isWithin(path, one))) {
    throw new HostError(
      "DESTINATION_OCCUPIED",
      `Cannot serve ${path}: it is in the data directory of this host or in a backup destination, or contains a secret of the host. Choose another file.`,
      { metadata: { path } },
    );
  }
  const siblings = await files.list(dirname(path)).catch(() => []);
  if (siblings.some((name) => parseManifestName(name) !== undefined)) {
    throw new HostError(
      "DESTINATION_OCCUPIED",
      `Cannot serve ${path}: its directory contains a backup, which only the host that created it may write. Choose a file in another directory.`,
      { metadata: { path } },
    );
  }
  return path;
}

/**
 * Throws unless the options allow a file at the path. An existing file is only replaced if it is
 * empty or was written through /local-files (`isOurs`, by version): a backup may be the only copy
 * of its data.
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
      `The file service is read-only: its fileOptions do not include WRITE.`,
      { metadata: { field: "fileOptions" } },
    );
  const status = await platform.files.status(path);
  if (status === undefined) {
    if (!options.includes("CREATE") && !options.includes("CREATE_NEW"))
      throw problem(
        "DESTINATION_MISSING",
        `${path} does not exist, and fileOptions do not include CREATE.`,
      );
    return requireParent(platform.files, path);
  }
  if (options.includes("CREATE_NEW"))
    throw problem("DESTINATION_OCCUPIED", `${path} exists, and fileOptions include CREATE_NEW.`);
  if (status.kind !== "file")
    throw problem("DESTINATION_OCCUPIED", `${path} is not a regular file.`);
  if (status.sizeBytes === 0 || isOurs(status.version)) return;
  throw problem(
    "DESTINATION_OCCUPIED",
    `Cannot replace ${path}: it was not written through /local-files, or was modified since. Choose another file, or move this one away.`,
  );
}

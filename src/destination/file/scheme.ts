import { basename, dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { HostError } from "../../errors.js";
import { canonicalFiles, pathReplaced } from "../../io/canonical-files.js";
import type { FileStatus } from "../../io/file-system.js";
import type { Platform } from "../../io/platform.js";
import type { DestinationScheme, OpenedUri, OpenRequest } from "../registry.js";
import { FileDestination, requireParent } from "./destination.js";
import { isWithin, resolveInRoots, resolveLinks, type Roots } from "./roots.js";
import { filePathOf } from "./uri.js";

/** Options of the FileScheme. */
export interface FileSchemeOptions {
  platform: Platform;
  /** Directories that may contain backups. */
  roots: Roots;
  /**
   * With links resolved. Backups may not be written into it, except below `autoBackupDirectory`.
   */
  dataDirectory: string;
  /** With links resolved. Default: automatic backups go elsewhere. */
  autoBackupDirectory?: string;
}

/** Opens file: URIs, each of which names a directory of backups or an archive. */
export class FileScheme implements DestinationScheme {
  readonly containers = ["DIRECTORY", "ZIP"] as const;
  readonly #options: FileSchemeOptions;
  readonly #platform: Platform;
  readonly #roots: Roots;

  constructor(options: FileSchemeOptions) {
    const { platform, roots, autoBackupDirectory } = options;
    this.#options = options;
    this.#platform = { ...platform, files: canonicalFiles(platform.files) };
    // Automatic backups can be restored regardless of the roots.
    this.#roots = {
      ...roots,
      paths:
        roots.paths !== undefined && autoBackupDirectory !== undefined
          ? [...roots.paths, autoBackupDirectory]
          : roots.paths,
    };
  }

  async open({ uri, purpose }: OpenRequest): Promise<OpenedUri> {
    const path = await this.#pathOf(uri);
    const status = await this.#options.platform.files.status(path);
    const opened = { uri: pathToFileURL(path).href };
    if (purpose === "read") {
      return status?.kind === "directory"
        ? { ...opened, destination: this.#destination(path, path) }
        : { ...opened, ...this.#archive(requireFileOrMissing(path, status)) };
    }
    await this.#requireWritable(path, purpose, status);
    return purpose === "write archive"
      ? { ...opened, ...this.#archive(path) }
      : { ...opened, destination: this.#destination(path, path, true) };
  }

  /** Returns the path of a file: URI. Throws PATH_OUTSIDE_ROOTS unless it is in a root. */
  async #pathOf(uri: string): Promise<string> {
    return resolveInRoots(this.#options.platform.files, this.#roots, filePathOf(uri));
  }

  #archive(path: string): { destination: FileDestination; object: string } {
    return { destination: this.#destination(dirname(path), path), object: basename(path) };
  }

  /**
   * Opens a directory. The links of `checked` were resolved, and must resolve to the same path
   * while a backup waits or runs.
   */
  #destination(path: string, checked: string, create = false): FileDestination {
    const { files } = this.#options.platform;
    const guard = async () => {
      if ((await resolveLinks(files, checked)) !== checked) throw pathReplaced(checked);
    };
    const lease = { ...this.#platform.lease, guard };
    return new FileDestination({ platform: this.#platform, path, create, lease });
  }

  async #requireWritable(
    path: string,
    purpose: "write archive" | "write objects",
    status: FileStatus | undefined,
  ): Promise<void> {
    const { platform, dataDirectory, autoBackupDirectory } = this.#options;
    const metadata = { path };
    const automatic = autoBackupDirectory !== undefined && isWithin(path, autoBackupDirectory);
    if (isWithin(path, dataDirectory) && !automatic) {
      throw new HostError(
        "DESTINATION_OCCUPIED",
        `Cannot back up to ${path}: it is in the data directory of this host. Use a path outside the data directory.`,
        { metadata },
      );
    }
    const archive = purpose === "write archive";
    if (status && status.kind !== (archive ? "file" : "directory")) {
      const wanted = archive ? "file for zip backup" : "directory for incremental backup";
      throw new HostError(
        "DESTINATION_OCCUPIED",
        `destination ${path} must be a local ${wanted}.`,
        {
          metadata,
        },
      );
    }
    if (!status) await requireParent(platform.files, path);
  }
}

function requireFileOrMissing(path: string, status: FileStatus | undefined): string {
  if (status?.kind !== "other") return path;
  throw new HostError("BACKUP_NOT_FOUND", `${path} is neither a file nor a directory.`, {
    metadata: { path },
  });
}

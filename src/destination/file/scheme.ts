import { basename, dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { HostError } from "../../errors.js";
import { canonicalFiles, pathReplaced } from "../../io/canonical-files.js";
import type { FileStatus } from "../../io/file-system.js";
import type { Platform } from "../../io/platform.js";
import type { DestinationScheme, OpenedUri, OpenRequest } from "../registry.js";
import { FileDestination } from "./destination.js";
import { requireParent } from "./parent.js";
import { isWithin, resolveInRoots, resolveLinks, type Roots } from "./roots.js";
import { filePathOf } from "./uri.js";

export interface FileSchemeOptions {
  platform: Platform;
  /** Where backups may be. */
  roots: Roots;
  /** With links resolved. Backups may not be written into it, except below `autoBackupDirectory`. */
  dataDirectory: string;
  /** With links resolved. Default: automatic backups go elsewhere. */
  autoBackupDirectory?: string;
}

/** file: URIs: a directory of files, or an archive. */
export class FileScheme implements DestinationScheme {
  readonly containers = ["DIRECTORY", "ZIP"] as const;
  readonly #options: FileSchemeOptions;
  readonly #platform: Platform;
  readonly #roots: Roots;

  constructor(options: FileSchemeOptions) {
    const { platform, roots, autoBackupDirectory } = options;
    this.#options = options;
    this.#platform = { ...platform, files: canonicalFiles(platform.files) };
    // Automatic backups can be restored wherever other backups have to be.
    this.#roots = {
      ...roots,
      paths:
        roots.paths.length > 0 && autoBackupDirectory !== undefined
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
        : { ...opened, ...this.#archive(requireNoDevice(path, status)) };
    }
    await this.#requireWritable(path, purpose, status);
    return purpose === "write archive"
      ? { ...opened, ...this.#archive(path) }
      : { ...opened, destination: this.#destination(path, path, true) };
  }

  /** The path of a file: URI; PATH_OUTSIDE_ROOTS unless it is in a root. */
  async #pathOf(uri: string): Promise<string> {
    return resolveInRoots(this.#options.platform.files, this.#roots, filePathOf(uri));
  }

  #archive(path: string): { destination: FileDestination; object: string } {
    return { destination: this.#destination(dirname(path), path), object: basename(path) };
  }

  /** `checked`: the path whose links were resolved, and which must not come to mean another one while a backup waits or works. */
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
        `${path} is in the data directory of this host, which holds nothing but its indexes. Choose a path outside of it.`,
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

function requireNoDevice(path: string, status: FileStatus | undefined): string {
  if (status?.kind !== "other") return path;
  throw new HostError("BACKUP_NOT_FOUND", `${path} is neither a file nor a directory.`, {
    metadata: { path },
  });
}

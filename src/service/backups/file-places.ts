import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { openDirectoryWriter } from "../../container/directory.js";
import { openContainer } from "../../container/open.js";
import { openZipWriter } from "../../container/zip-writer.js";
import { filePathOf } from "../../destination/file/uri.js";
import { requireParent } from "../../destination/file/parent.js";
import {
  isWithin,
  resolveInRoots,
  resolveLinks,
  type Roots,
} from "../../destination/file/roots.js";
import { HostError } from "../../errors.js";
import { canonicalFiles, pathReplaced } from "../../io/canonical-files.js";
import { fromFileError } from "../../io/file-error.js";
import type { Platform } from "../../io/platform.js";
import type { SchemePlaces } from "./places.js";

export interface FilePlacesOptions {
  platform: Platform;
  roots: Roots;
  /** With its links resolved: no backup goes into it but below the directory for automatic ones. */
  dataDirectory: string;
  autoBackupDirectory: string;
}

export interface FilePlaces extends SchemePlaces {
  /** The path of a file: URI, inside the roots. */
  pathOf(uri: string): Promise<string>;
}

/** file: URIs: a directory of files, or one archive. */
export function filePlaces({
  platform,
  roots,
  dataDirectory,
  autoBackupDirectory,
}: FilePlacesOptions): FilePlaces {
  // What the host backs up by itself it can be restored from, wherever other backups may lie.
  const allowed: Roots = {
    ...roots,
    paths: roots.paths.length > 0 ? [...roots.paths, autoBackupDirectory] : [],
  };
  const pathOf = (uri: string) => resolveInRoots(platform.files, allowed, filePathOf(uri));
  const checked: Platform = { ...platform, files: canonicalFiles(platform.files) };
  /** Throws where the path, whose links were resolved, has come to mean another place: asked for again and again while a backup waits and works. */
  const guardOf = (path: string) => async () => {
    if ((await resolveLinks(platform.files, path)) !== path) throw pathReplaced(path);
  };
  return {
    pathOf,
    async destination({ destination, container, since }) {
      if (since !== undefined)
        throw new HostError(
          "REQUEST_INVALID",
          "since is for transfer: alone; a DIRECTORY goes on by itself.",
          { metadata: { field: "since" } },
        );
      const path = await pathOf(destination);
      if (container === "STREAM") {
        throw new HostError(
          "DESTINATION_INVALID",
          "A STREAM goes to an http or https destination: Missing host in URI.",
          { metadata: { field: "destination" } },
        );
      }
      if (isWithin(path, dataDirectory) && !isWithin(path, autoBackupDirectory)) {
        throw new HostError(
          "DESTINATION_OCCUPIED",
          `${path} lies in the data directory of this host, which must hold nothing but its indexes; back up to another place.`,
          { metadata: { path } },
        );
      }
      const status = await platform.files.status(path);
      const wanted = container === "ZIP" ? "file" : "directory";
      if (status && status.kind !== wanted) {
        const words =
          container === "ZIP" ? "file for zip backup" : "directory for incremental backup";
        throw new HostError(
          "DESTINATION_OCCUPIED",
          `destination ${path} must be a local ${words}.`,
          { metadata: { path } },
        );
      }
      if (!status) await requireParent(platform.files, path);
      const uri = pathToFileURL(path).href;
      const look = async () => ({
        freeBytes: await platform.files.freeBytes(
          status?.kind === "directory" ? path : dirname(path),
        ),
        // An empty file may be replaced too.
        ...(status && status.sizeBytes > 0 && { reader: await openContainer(checked, path) }),
      });
      const lease = { ...platform.lease, guard: guardOf(path) };
      return {
        target: uri,
        uri,
        container,
        open: (signal, _report, index) =>
          container === "ZIP"
            ? openZipWriter(checked, path, index, signal, lease)
            : openDirectoryWriter(checked, path, signal, lease),
        look,
      };
    },
    async source(uri) {
      const path = await pathOf(uri);
      return {
        uri: pathToFileURL(path).href,
        async open() {
          try {
            return await openContainer(checked, path);
          } catch (error) {
            throw fromFileError(error, `Reading the backup ${path}`);
          }
        },
      };
    },
  };
}

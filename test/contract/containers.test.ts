import { basename, dirname, join } from "node:path";
import { openDirectoryWriter } from "../../src/container/directory-writer.js";
import { openZipWriter } from "../../src/container/zip-writer.js";
import { FileDestination } from "../../src/destination/file/destination.js";
import { containerContract } from "./container-suite.js";

containerContract({
  container: "DIRECTORY",
  name: "backups",
  openWriter: (platform, path, signal, lease) =>
    openDirectoryWriter(
      platform,
      new FileDestination({ platform, path, lease, create: true }),
      signal,
    ),
  leasePath: (path) => join(path, ".holdfast-lease"),
});
containerContract({
  container: "ZIP",
  name: "backup.zip",
  openWriter: (platform, path, signal, lease) =>
    openZipWriter(
      platform,
      {
        destination: new FileDestination({ platform, path: dirname(path), lease }),
        object: basename(path),
        index: { indexId: "index-1", lineage: "lineage-1", parents: [] },
      },
      signal,
    ),
  leasePath: (path) => `${path}.lease`,
});

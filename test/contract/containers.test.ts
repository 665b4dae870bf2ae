import { leasePath, openDirectoryWriter } from "../../src/container/directory.js";
import { openZipWriter } from "../../src/container/zip-writer.js";
import { containerContract } from "./container-suite.js";

containerContract({
  container: "DIRECTORY",
  name: "backups",
  openWriter: openDirectoryWriter,
  leasePath,
});
containerContract({
  container: "ZIP",
  name: "backup.zip",
  openWriter: (platform, path, signal, lease) =>
    openZipWriter(
      platform,
      path,
      { indexId: "index-1", lineage: "lineage-1", parents: [] },
      signal,
      lease,
    ),
  leasePath: (path) => `${path}.lease`,
});

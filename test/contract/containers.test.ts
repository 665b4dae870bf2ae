import { leasePath, openDirectoryWriter } from "../../src/container/directory.js";
import { openZipWriter } from "../../src/container/zip-writer.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { containerContract } from "./container-suite.js";

containerContract({ container: "DIRECTORY", name: "backups", openWriter: openDirectoryWriter, leasePath });
containerContract({
  container: "ZIP",
  name: "backup.zip",
  openWriter: (seams, path, signal, lease) => openZipWriter(seams, path, signal, { temporaryDirectory: temporaryDirectory(), lease }),
  leasePath: (path) => `${path}.lease`,
});

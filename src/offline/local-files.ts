import { tmpdir } from "node:os";
import type { ContainerOptions } from "../container/resolve.js";
import { FileScheme } from "../destination/file/scheme.js";
import { DestinationRegistry } from "../destination/registry.js";
import { systemPlatform as platform } from "../io/platform.js";

/** Reads backups in local files, wherever this user may read. Loads few modules. */
export function localFiles(): ContainerOptions {
  const temporaryDirectory = tmpdir();
  const file = new FileScheme({
    platform,
    roots: { paths: undefined, what: "backup root" },
    dataDirectory: temporaryDirectory,
  });
  return { platform, registry: new DestinationRegistry({ file }), temporaryDirectory };
}

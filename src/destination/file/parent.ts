import { dirname } from "node:path";
import { HostError } from "../../errors.js";
import type { FileSystem } from "../../io/file-system.js";

/** DESTINATION_MISSING unless the directory that holds the path is there: a typing error must not look like a backup. */
export async function requireParent(files: FileSystem, path: string): Promise<void> {
  const parent = dirname(path);
  if ((await files.status(parent))?.kind === "directory") return;
  throw new HostError(
    "DESTINATION_MISSING",
    `The directory ${parent} does not exist: make it, or mount it, before a backup goes there.`,
    { metadata: { path } },
  );
}

import { join } from "node:path";
import { serve, type ServedHost } from "../../support/served-host.js";
import { temporaryDirectory } from "../../support/temporary-directory.js";
import { exampleState } from "./example-documents.js";

/** Starts the built Holdfast with the factories of Xenon, and stops it after the test. */
export async function startHoldfast(id: string, root = temporaryDirectory()): Promise<ServedHost> {
  return serve([
    "--data-dir",
    join(root, "data"),
    "--id",
    id,
    "--factory",
    `/core/indexed-metadata-examples=${exampleState}`,
  ]);
}

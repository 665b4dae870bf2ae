import { join } from "node:path";
import { serve, type ServedHost } from "../../support/served-host.js";
import { temporaryDirectory } from "../../support/temporary-directory.js";
import { exampleState } from "./example-documents.js";

/** Holdfast from the build with Xenon's factories; it is stopped after the test. */
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

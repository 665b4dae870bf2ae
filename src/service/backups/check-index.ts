import type { DocumentIndex } from "../../store/document-index.js";
import type { ManagementOptions } from "./management-options.js";
import type { ManagementService } from "./management-service.js";

/** Checks live indexes, as operations. */
export function createIndexCheck({
  operations,
  indexOf,
}: Pick<ManagementOptions, "operations" | "indexOf">): ManagementService["checkIndex"] {
  return async (indexLink) => {
    const index = indexOf(indexLink);
    return operations.start({
      kind: "check-index",
      indexLink,
      target: indexLink,
      async run(signal, report) {
        report({ stage: "checking", documentsTotal: (await index.state()).versions });
        return {
          indexLink,
          ...(await index.check(signal, (rows) => report({ documentsDone: rows }))),
        };
      },
    });
  };
}

/**
 * Checks an index in the background after an unclean shutdown: a power failure or a kill may have left pages that were never written.
 * The check is an operation; the log and the health of the host report its result.
 */
export async function checkAfterUncleanStop(
  index: DocumentIndex,
  check: ManagementService["checkIndex"],
  warn: (fields: object, message: string) => void,
): Promise<void> {
  if (index.wasClosed()) return;
  warn(
    { indexLink: index.link },
    "the index was not closed in good order; it is checked in the background",
  );
  await check(index.link);
}

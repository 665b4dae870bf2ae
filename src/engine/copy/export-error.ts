import { HostError } from "../../errors.js";
import { fromSqlite } from "../../segment/sqlite-error.js";

/** Converts an error of the export of a segment: a full disk is that of the destination. */
export function exportError(thrown: unknown, path: string): HostError {
  const error = fromSqlite(thrown, `Copying the index into ${path}`);
  return error.reason === "STORAGE_FULL"
    ? new HostError(
        "DESTINATION_FULL",
        `No space is left for the segment ${path}. Free space and back up again.`,
        { cause: thrown },
      )
    : error;
}

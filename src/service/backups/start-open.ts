import type { IndexPointInTime } from "../../backup/point-in-time.js";
import { resolveSource } from "../../container/resolve.js";
import { fromFileError } from "../../io/file-error.js";
import { fingerprintOf } from "../../operation/fingerprint.js";
import type { OperationView } from "../../operation/operation.js";
import type { ManagementOptions } from "./management-options.js";

/** Request to open a backup, or a point in time of an index, for reading. */
export interface OpenRequest {
  pointInTime: IndexPointInTime;
  /** After which the index is closed, in microseconds. */
  lifetimeMicros: number;
  requestId?: string;
}

/** Starts to open an index, as an operation. Resolves when the request is validated. */
export async function startOpen(
  options: ManagementOptions,
  { pointInTime, lifetimeMicros, requestId }: OpenRequest,
): Promise<OperationView> {
  const { operations, indexOf, opened } = options;
  const { uri, indexLink, bearer, decryptWith, ...rest } = pointInTime;
  if (uri === undefined) indexOf(indexLink);
  const target =
    uri === undefined
      ? indexLink
      : (await resolveSource(options, uri, { bearer, decryptWith })).uri;
  return operations.start({
    kind: "open-backup",
    indexLink,
    target,
    ...(requestId !== undefined && { requestId }),
    fingerprint: fingerprintOf({ ...rest, target, indexLink, lifetimeMicros }, []),
    async run(signal, report) {
      try {
        return await opened.open(pointInTime, lifetimeMicros, signal, report);
      } catch (error) {
        throw fromFileError(error, `Opening ${target}`);
      }
    },
  });
}

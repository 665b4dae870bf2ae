import type { Services } from "./services.js";
import { errorOfStatus, HoldfastError, isTransient } from "./error.js";
import type { Operation } from "./gen/google/longrunning/operations.js";
import {
  BackupResult,
  CheckIndexResult,
  CopyBackupResult,
  OpenedIndex,
  OperationMetadata,
  RestoreResult,
  VerifyResult,
} from "./gen/holdfast/management/v1/management.js";
import { retrying } from "./retry.js";

/** Options of a wait for an operation. */
export interface WaitOptions {
  /** Ends the wait; the operation continues. */
  signal?: AbortSignal | undefined;
  /** Called whenever the progress of the operation changes, at most ten times per second. */
  onProgress?: ((metadata: OperationMetadata) => void) | undefined;
}

/** A successful operation. Each method returns the result of one kind, and throws if the operation is of another kind. */
export interface FinishedOperation {
  name: string;
  metadata: OperationMetadata;
  backup(): BackupResult;
  restore(): RestoreResult;
  verify(): VerifyResult;
  check(): CheckIndexResult;
  copy(): CopyBackupResult;
  open(): OpenedIndex;
}

/** Implements HoldfastClient.waitForOperation. */
export async function waitForOperation(
  { management }: Pick<Services, "management">,
  name: string,
  { signal, onProgress }: WaitOptions,
): Promise<FinishedOperation> {
  const done = await retrying(isTransient, signal, async (advanced) => {
    let last: Operation | undefined;
    for await (const operation of management.watchOperation({ name }, signal ? { signal } : {})) {
      last = operation;
      advanced();
      onProgress?.(metadataOf(operation));
    }
    if (!last?.done)
      throw new HoldfastError(`The stream of ${name} ended before the operation did.`, 14);
    return last;
  });
  // Not retried: the failure of the operation is final, whatever its code.
  if (done.result?.$case === "error") throw errorOfStatus(done.result.value);
  return finished(done);
}

const metadataOf = ({ metadata }: Operation) =>
  OperationMetadata.decode(metadata?.value ?? new Uint8Array());

function finished(operation: Operation): FinishedOperation {
  const { name, result } = operation;
  const as =
    <T>(type: string, decode: (bytes: Uint8Array) => T) =>
    () => {
      if (result?.$case === "response" && result.value.typeUrl.endsWith(`.${type}`))
        return decode(result.value.value);
      throw new HoldfastError(`${name} has no ${type}.`, 9);
    };
  return {
    name,
    metadata: metadataOf(operation),
    backup: as("BackupResult", (bytes) => BackupResult.decode(bytes)),
    restore: as("RestoreResult", (bytes) => RestoreResult.decode(bytes)),
    verify: as("VerifyResult", (bytes) => VerifyResult.decode(bytes)),
    check: as("CheckIndexResult", (bytes) => CheckIndexResult.decode(bytes)),
    copy: as("CopyBackupResult", (bytes) => CopyBackupResult.decode(bytes)),
    open: as("OpenedIndex", (bytes) => OpenedIndex.decode(bytes)),
  };
}

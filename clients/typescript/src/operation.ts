import type { Services } from "./services.js";
import { errorOfStatus, HoldfastError, isTransient } from "./error.js";
import type { Operation } from "./gen/google/longrunning/operations.js";
import {
  BackupResult,
  CheckIndexResult,
  OperationMetadata,
  RestoreResult,
  VerifyResult,
} from "./gen/holdfast/management/v1/management.js";
import { retrying } from "./retry.js";

export interface WaitOptions {
  /** Stops waiting; the operation goes on. */
  signal?: AbortSignal | undefined;
  /** Hears how far it is, each time that has changed. */
  onProgress?: ((metadata: OperationMetadata) => void) | undefined;
}

/** An operation that succeeded; each of the methods throws where it was another kind of work. */
export interface FinishedOperation {
  name: string;
  metadata: OperationMetadata;
  backup(): BackupResult;
  restore(): RestoreResult;
  verify(): VerifyResult;
  check(): CheckIndexResult;
}

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
  // Its own failure is final, whatever its code: only being told of it is tried again.
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
  };
}

import { HostError } from "../../errors.js";
import type { FileSystem } from "../../io/file-system.js";
import { readRange } from "../../io/read-file.js";
import { limits } from "../../limits.js";
import type { HeldTransfer, Transfers } from "../../destination/transfer/transfers.js";
import type { UploadWriter } from "../../destination/transfer/upload.js";
import type { BackupRequest, BackupResult } from "../../backup/backup-request.js";
import type { ManagementService } from "./management-service.js";
import type { OperationService, OperationView } from "../../operation/operation.js";
import type { RestoreRequest, RestoreResult } from "../../backup/restore-request.js";
import { transferNameOf, transferUri } from "../../destination/transfer/transfer.js";

/** Backups and restores as byte streams, independent of the protocol. Names are without transfers/. */
export interface StreamService {
  readonly transfers: Transfers;
  /** Maximum time without data on a stream, in milliseconds. */
  readonly idleMs: number;
  /** Number of archives being sent. */
  sending(): number;
  /** Holds a complete archive for sending. Throws STREAM_LIMIT if too many archives are being sent. */
  hold(name: string): HeldTransfer;
  /** Makes a backup as a transfer and holds it for sending. The signal cancels the backup. */
  prepare(
    request: Pick<BackupRequest, "indexLink" | "store" | "since">,
    signal: AbortSignal,
  ): Promise<HeldTransfer>;
  /** Yields bytes of a held transfer from an offset, `length` of them if given, in pieces of at most `chunkBytes`. */
  read(
    held: HeldTransfer,
    range: { offset: number; length?: number; chunkBytes?: number },
    signal: AbortSignal,
  ): AsyncGenerator<Buffer>;
  /** Restores a complete upload. Resolves when the restored index is live. The restore continues if the signal aborts. */
  restore(
    name: string,
    request: Omit<RestoreRequest, "source">,
    signal: AbortSignal,
  ): Promise<{ operation: string; result: RestoreResult }>;
}

export interface StreamServiceOptions {
  files: FileSystem;
  transfers: Transfers;
  management: Pick<ManagementService, "backup" | "restore">;
  operations: Pick<OperationService, "wait" | "cancel">;
  idleMs: number;
}

export function createStreamService({
  files,
  transfers,
  management,
  operations,
  idleMs,
}: StreamServiceOptions): StreamService {
  let sending = 0;

  async function outcome(begun: OperationView, signal: AbortSignal): Promise<OperationView> {
    let view = begun;
    while (!view.done) {
      view = await operations.wait(view.name, limits.operationWaitMs, signal);
      signal.throwIfAborted();
    }
    if (view.error) throw view.error;
    return view;
  }

  function hold(name: string): HeldTransfer {
    if (sending >= limits.streams)
      throw new HostError(
        "STREAM_LIMIT",
        `The host is sending ${sending} archives, its limit. Wait until one completes.`,
      );
    const held = transfers.hold(name);
    sending += 1;
    let released = false;
    return {
      ...held,
      release() {
        if (!released) sending -= 1;
        released = true;
        held.release();
      },
    };
  }

  return {
    transfers,
    sending: () => sending,
    idleMs,
    hold,
    async prepare(request, signal) {
      const begun = await management.backup({
        ...request,
        destination: "transfer:",
        container: "ZIP",
      });
      try {
        const { backup } = (await outcome(begun, signal)).result as BackupResult;
        return hold(transferNameOf(backup.uri));
      } catch (error) {
        if (signal.aborted) await operations.cancel(begun.name);
        throw error;
      }
    },
    async *read(
      { transfer, path, signal: deleted },
      { offset, length = transfer.sizeBytes - offset, chunkBytes = limits.chunkBytes },
      signal,
    ) {
      if (offset > transfer.sizeBytes) {
        throw new HostError(
          "RANGE_NOT_SATISFIABLE",
          `The transfer ${transfer.name} has ${transfer.sizeBytes} bytes; offset ${offset} is out of range.`,
          {
            metadata: { transfer: transfer.name, sizeBytes: String(transfer.sizeBytes) },
          },
        );
      }
      const end = Math.min(transfer.sizeBytes, offset + length);
      yield* readRange(
        files,
        path,
        { offset, end, chunkBytes },
        AbortSignal.any([signal, deleted]),
      );
    },
    async restore(name, request, signal) {
      const view = await outcome(
        await management.restore({ ...request, source: transferUri(name) }),
        signal,
      );
      return { operation: view.name, result: view.result as RestoreResult };
    },
  };
}

/** Runs work with the writer of an upload, then closes it. The signal aborts with that of the caller, or when another stream takes over. */
export async function withUpload<T>(
  transfers: Transfers,
  name: string,
  sizeBytes: number | undefined,
  signal: AbortSignal,
  work: (writer: UploadWriter, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const writer = await transfers.openUpload(name, sizeBytes);
  try {
    return await work(writer, AbortSignal.any([signal, writer.signal]));
  } finally {
    await writer.close();
  }
}

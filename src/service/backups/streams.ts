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

/** Options of a StreamService. */
export interface StreamServiceOptions {
  files: FileSystem;
  transfers: Transfers;
  management: Pick<ManagementService, "backup" | "restore">;
  operations: Pick<OperationService, "wait" | "cancel">;
  /** Maximum time without data on a stream, in milliseconds. */
  idleMs: number;
}

/** Backups and restores as byte streams, independent of the protocol. Names are without transfers/. */
export class StreamService {
  private active = 0;

  constructor(private readonly options: StreamServiceOptions) {}

  get transfers(): Transfers {
    return this.options.transfers;
  }

  /** Maximum time without data on a stream, in milliseconds. */
  get idleMs(): number {
    return this.options.idleMs;
  }

  /** Number of archives being sent. */
  sending(): number {
    return this.active;
  }

  /** Holds a complete archive for sending. Throws STREAM_LIMIT if too many archives are being sent. */
  hold(name: string): HeldTransfer {
    if (this.active >= limits.streams)
      throw new HostError(
        "STREAM_LIMIT",
        `The host is sending ${this.active} archives, its limit. Wait until one completes.`,
      );
    const held = this.transfers.hold(name);
    this.active += 1;
    let released = false;
    return {
      ...held,
      release: () => {
        if (!released) this.active -= 1;
        released = true;
        held.release();
      },
    };
  }

  /** Makes a backup as a transfer and holds it for sending. The signal cancels the backup. */
  async prepare(
    request: Pick<BackupRequest, "indexLink" | "store" | "since" | "encryption">,
    signal: AbortSignal,
  ): Promise<HeldTransfer> {
    const { management, operations } = this.options;
    const begun = await management.backup({
      ...request,
      destination: "transfer:",
      container: "ZIP",
    });
    try {
      const { backup } = (await this.outcome(begun, signal)).result as BackupResult;
      return this.hold(transferNameOf(backup.uri));
    } catch (error) {
      if (signal.aborted) await operations.cancel(begun.name);
      throw error;
    }
  }

  /** Yields bytes of a held transfer from an offset, `length` of them if given, in pieces of at most `chunkBytes`. */
  async *read(
    { transfer, path, signal: deleted }: HeldTransfer,
    range: { offset: number; length?: number; chunkBytes?: number },
    signal: AbortSignal,
  ): AsyncGenerator<Buffer> {
    const { name, sizeBytes } = transfer;
    const { offset, length = sizeBytes - offset, chunkBytes = limits.chunkBytes } = range;
    if (offset > sizeBytes) {
      throw new HostError(
        "RANGE_NOT_SATISFIABLE",
        `The transfer ${name} has ${sizeBytes} bytes; offset ${offset} is out of range.`,
        { metadata: { transfer: name, sizeBytes: String(sizeBytes) } },
      );
    }
    yield* readRange(
      this.options.files,
      path,
      { offset, end: Math.min(sizeBytes, offset + length), chunkBytes },
      AbortSignal.any([signal, deleted]),
    );
  }

  /** Restores a complete upload. Resolves when the restored index is live. The restore continues if the signal aborts. */
  async restore(
    name: string,
    request: Omit<RestoreRequest, "source">,
    signal: AbortSignal,
  ): Promise<{ operation: string; result: RestoreResult }> {
    const { management } = this.options;
    const begun = await management.restore({ ...request, source: transferUri(name) });
    const view = await this.outcome(begun, signal);
    return { operation: view.name, result: view.result as RestoreResult };
  }

  /** Waits for the end of an operation. Throws its error. */
  private async outcome(begun: OperationView, signal: AbortSignal): Promise<OperationView> {
    let view = begun;
    while (!view.done) {
      view = await this.options.operations.wait(view.name, limits.operationWaitMs, signal);
      signal.throwIfAborted();
    }
    if (view.error) throw view.error;
    return view;
  }
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

import { createHash, randomUUID } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";
import { crc32c } from "@node-rs/crc32";
import type { Services } from "./services.js";
import type { TransferProgress } from "./download.js";
import { HoldfastError, isTransient } from "./error.js";
import type {
  RestoreResult,
  StreamRestoreHeader,
  StreamRestoreRequest,
} from "./gen/holdfast/management/v1/management.js";
import { retrying, type Advanced } from "./retry.js";

/** Options of an upload and its restore. */
export interface UploadOptions {
  /** Link of the index to restore. Default: /core/document-index. */
  indexLink?: string | undefined;
  /** Point in time to restore, in microseconds since 1970. Default: the end of the backup. */
  targetTimeMicros?: bigint | undefined;
  /** Sends and verifies the archive without restoring it. Default: false. */
  validateOnly?: boolean | undefined;
  /** URIs of archives with the segments that an incremental archive lacks, oldest first. */
  baseSources?: string[] | undefined;
  /** Name of the upload, transfers/NAME, with which another process can resume it. Default: a random name. */
  transferName?: string | undefined;
  /** Keeps the archive on the host after the restore, for use as a source transfer:NAME. Default: false. */
  keep?: boolean | undefined;
  onProgress?: ((progress: TransferProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** Result of an upload and its restore. */
export interface UploadedRestore {
  result: RestoreResult;
  /** Name of the restore operation. */
  operation: string;
  /** Name of the upload, transfers/NAME. */
  transferName: string;
}

const chunkBytes = 1024 * 1024;

/** TRANSFER_OFFSET is transient: the host may still be reading an interrupted stream, which changes the offset. */
const mayPass = (error: unknown) =>
  isTransient(error) || (error instanceof HoldfastError && error.reason === "TRANSFER_OFFSET");

/** Implements HoldfastClient.uploadRestore. */
export async function uploadRestore(
  { management }: Pick<Services, "management">,
  from: string,
  options: UploadOptions,
): Promise<UploadedRestore> {
  const { signal, onProgress, keep = false } = options;
  const transferName = options.transferName ?? `transfers/${randomUUID()}`;
  const requestId = randomUUID();
  const file = await open(from, "r");
  try {
    const sizeBytes = (await file.stat()).size;
    const sha256 = await digestOf(file, signal);
    const header: StreamRestoreHeader = {
      indexLink: options.indexLink ?? "",
      targetTimeMicros: options.targetTimeMicros,
      transferName,
      sizeBytes: BigInt(sizeBytes),
      requestId,
      validateOnly: options.validateOnly ?? false,
      baseSources: options.baseSources ?? [],
    };
    let furthest = 0;
    const send = async (advanced: Advanced) => {
      const begin = await committed();
      if (begin > furthest) advanced();
      furthest = Math.max(furthest, begin);
      return management.streamRestore(messages(begin), signal ? { signal } : {});
    };
    const { result, operation } = await retrying(mayPass, signal, send).catch(
      async (error: unknown) => {
        // An upload with a random name cannot be resumed.
        if (options.transferName === undefined)
          await management.deleteTransfer({ name: transferName }).catch(() => {});
        throw error;
      },
    );
    if (!result)
      throw new HoldfastError("The response of the host has no result of the restore.", 13);
    if (!keep) await management.deleteTransfer({ name: transferName }).catch(() => {});
    return { result, operation, transferName };

    async function committed(): Promise<number> {
      try {
        return Number(
          (await management.getTransfer({ name: transferName }, signal ? { signal } : {}))
            .committedBytes,
        );
      } catch (error) {
        if (error instanceof HoldfastError && error.reason === "TRANSFER_NOT_FOUND") return 0;
        throw error;
      }
    }

    async function* messages(begin: number): AsyncGenerator<StreamRestoreRequest> {
      yield { message: { $case: "header", value: header } };
      for (let position = begin; position < sizeBytes;) {
        const data = await readAt(file, position);
        yield {
          message: {
            $case: "chunk",
            value: { offset: BigInt(position), data, crc32c: crc32c(data) },
          },
        };
        position += data.length;
        onProgress?.({ bytes: BigInt(position), totalBytes: BigInt(sizeBytes) });
      }
      yield { message: { $case: "trailer", value: { sizeBytes: BigInt(sizeBytes), sha256 } } };
    }
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, position: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(chunkBytes);
  const { bytesRead } = await file.read(buffer, 0, chunkBytes, position);
  if (bytesRead === 0) throw new HoldfastError("The file was truncated during the upload.", 15);
  return buffer.subarray(0, bytesRead);
}

async function digestOf(file: FileHandle, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(chunkBytes);
  for (let position = 0; ;) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, chunkBytes, position);
    if (bytesRead === 0) return hash.digest("hex");
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
}

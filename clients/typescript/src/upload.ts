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

export interface UploadOptions {
  /** Default: /core/document-index. */
  indexLink?: string | undefined;
  /** The moment to go back to, in microseconds since 1970. Default: everything. */
  targetTimeMicros?: bigint | undefined;
  /** Sends and checks the archive, and restores nothing. */
  validateOnly?: boolean | undefined;
  /** transfer: URIs of archives that this one builds on, oldest first. */
  baseSources?: string[] | undefined;
  /** The name of the upload on the host; one that was cut in another process is gone on with under its name. Default: a random one. */
  transferName?: string | undefined;
  /** Keeps the archive on the host as transfer:NAME after the restore, for others that build on it. Default: false. */
  keep?: boolean | undefined;
  onProgress?: ((progress: TransferProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export interface UploadedRestore {
  result: RestoreResult;
  operation: string;
  /** transfers/NAME */
  transferName: string;
}

const chunkBytes = 1024 * 1024;

/** The host may still be reading a stream that was cut here: then its place is not yet what it said. */
const mayPass = (error: unknown) =>
  isTransient(error) || (error instanceof HoldfastError && error.reason === "TRANSFER_OFFSET");

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
        // Nobody else knows the name that was made up.
        if (options.transferName === undefined)
          await management.deleteTransfer({ name: transferName }).catch(() => {});
        throw error;
      },
    );
    if (!result) throw new HoldfastError("The host did not say what it restored.", 13);
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
  if (bytesRead === 0) throw new HoldfastError("The file became shorter while it was sent.", 15);
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

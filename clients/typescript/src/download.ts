import { createHash, type Hash } from "node:crypto";
import { open, readFile, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { crc32c } from "@node-rs/crc32";
import type { Services } from "./services.js";
import { HoldfastError, isTransient } from "./error.js";
import type { BackupDescription, Transfer } from "./gen/holdfast/management/v1/management.js";
import { syncDirectory, writeState } from "./files.js";
import { retrying, type Advanced } from "./retry.js";

/** Options of a download. */
export interface DownloadOptions {
  /** Link of the index. Default: /core/document-index. */
  indexLink?: string | undefined;
  /** Stores files in the archive without compression. Default: false. */
  store?: boolean | undefined;
  /** manifestSha256 of an earlier streamed backup; only what was written after it is sent. Default: everything. */
  since?: string | undefined;
  /** Resumes the download of an earlier call with the same `to`, if the host still has the transfer. Default: true. */
  resume?: boolean | undefined;
  onProgress?: ((progress: TransferProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** Progress of a transfer, in bytes. */
export interface TransferProgress {
  bytes: bigint;
  totalBytes: bigint;
}

/** A downloaded and verified backup. */
export interface DownloadedBackup {
  path: string;
  sizeBytes: bigint;
  sha256: string;
  /** Description of the backup; its manifestSha256 is the value for `since`. */
  backup: BackupDescription;
}

/** State file of an interrupted download: its transfer, and the options of its request. */
interface State {
  transfer: string;
  indexLink: string;
  since: string;
  store: boolean;
}

/** Implements HoldfastClient.downloadBackup. */
export async function downloadBackup(
  { management }: Pick<Services, "management">,
  to: string,
  options: DownloadOptions,
): Promise<DownloadedBackup> {
  const { signal, onProgress, resume = true } = options;
  const partial = `${to}.partial`;
  const statePath = `${partial}.json`;
  const asked = {
    indexLink: options.indexLink ?? "",
    since: options.since ?? "",
    store: options.store ?? false,
  };
  let transfer = resume ? await leftBehind(statePath, partial, asked) : undefined;
  const file = await open(partial, transfer === undefined ? "w+" : "r+");
  try {
    let { position, hash } = await hashed(
      file,
      transfer === undefined ? 0 : Number.MAX_SAFE_INTEGER,
    );
    const done = await retrying(isTransient, signal, (advanced) => attempt(advanced));
    await file.sync();
    await file.close();
    await rename(partial, to);
    await syncDirectory(dirname(to));
    await rm(statePath, { force: true });
    // Errors are ignored, since the host deletes unused transfers itself.
    await management.deleteTransfer({ name: done.name }).catch(() => {});
    if (!done.backup)
      throw new HoldfastError("The response of the host has no description of the backup.", 13);
    return { path: to, sizeBytes: done.sizeBytes, sha256: done.sha256, backup: done.backup };

    async function attempt(advanced: Advanced): Promise<Transfer> {
      let begun: Transfer | undefined;
      let ended = false;
      try {
        const request =
          transfer === undefined ? asked : { transferName: transfer, offset: BigInt(position) };
        for await (const { message } of management.streamBackup(
          request,
          signal ? { signal } : {},
        )) {
          if (message?.$case === "header") {
            begun = message.value.transfer;
            transfer = begun?.name;
            if (transfer !== undefined)
              await writeState(statePath, { transfer, ...asked } satisfies State);
          } else if (message?.$case === "chunk") {
            await take(message.value);
            advanced();
            onProgress?.({ bytes: BigInt(position), totalBytes: begun?.sizeBytes ?? 0n });
          } else if (message?.$case === "trailer") {
            ended = true;
            checkEnd(message.value);
          }
        }
      } catch (error) {
        if (!(error instanceof HoldfastError) || transfer === undefined || !lost.has(error.reason))
          throw error;
        await startOver();
        throw new HoldfastError(
          "The host no longer has the transfer; the download starts over.",
          14,
          "",
          {},
          { cause: error },
        );
      }
      if (!begun || !ended) throw new HoldfastError("The stream ended without its trailer.", 14);
      return begun;
    }

    async function take({
      offset,
      data,
      crc32c: expected,
    }: {
      offset: bigint;
      data: Uint8Array;
      crc32c?: number | undefined;
    }): Promise<void> {
      if (offset !== BigInt(position))
        throw new HoldfastError(
          `Expected a chunk at offset ${position}, received one at ${offset}.`,
          15,
        );
      const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      if (expected !== undefined && crc32c(bytes) !== expected)
        throw new HoldfastError(
          `The checksum of the chunk at offset ${offset} does not match.`,
          14,
        );
      await file.write(bytes, 0, bytes.length, position);
      hash.update(bytes);
      position += bytes.length;
    }

    function checkEnd({ sizeBytes, sha256 }: { sizeBytes: bigint; sha256: string }): void {
      if (BigInt(position) === sizeBytes && hash.copy().digest("hex") === sha256) return;
      throw new HoldfastError(
        "The received archive differs from what the host sent, in size or digest. Download it again with resume: false.",
        15,
      );
    }

    /** Discards the received bytes, so that the next attempt makes a new backup. */
    async function startOver(): Promise<void> {
      transfer = undefined;
      await file.truncate(0);
      ({ position, hash } = await hashed(file, 0));
    }
  } finally {
    await file.close().catch(() => {});
  }
}

/** Reasons of a host that no longer has the transfer, or has another one of this name. */
const lost = new Set(["TRANSFER_NOT_FOUND", "RANGE_NOT_SATISFIABLE", "TRANSFER_TAKEN_OVER"]);

/** Returns the transfer that an earlier call with the same options left to resume. */
async function leftBehind(
  statePath: string,
  partial: string,
  asked: Omit<State, "transfer">,
): Promise<string | undefined> {
  try {
    await stat(partial);
    const { transfer, ...before } = JSON.parse(await readFile(statePath, "utf8")) as State;
    const same =
      before.indexLink === asked.indexLink &&
      before.since === asked.since &&
      before.store === asked.store;
    return same ? transfer : undefined;
  } catch {
    return undefined;
  }
}

/** Hashes the existing bytes of the file, at most upTo. */
async function hashed(file: FileHandle, upTo: number): Promise<{ position: number; hash: Hash }> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(1 << 20);
  let position = 0;
  while (position < upTo) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
  return { position, hash };
}

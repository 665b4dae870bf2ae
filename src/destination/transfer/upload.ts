import { createHash } from "node:crypto";
import { HostError } from "../../errors.js";
import { fromFileError } from "../../io/file-error.js";
import type { FileSystem, OpenFile } from "../../io/file-system.js";
import { limits } from "../../limits.js";

/** Writes an upload in order. An upload has one writer at a time. */
export interface UploadWriter {
  /** Aborts when another stream resumes the upload, or when the transfer is deleted. */
  readonly signal: AbortSignal;
  /** Offset of the next byte. */
  readonly position: number;
  /**
   * Writes bytes at an offset; resolves when the writer accepts more. Compares bytes before `position`
   * with those received earlier. Throws TRANSFER_OFFSET (metadata committedBytes) for a gap, and
   * TRANSFER_DAMAGED for bytes that differ.
   */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /**
   * Completes the upload. Throws TRANSFER_DAMAGED unless size and digest match, and leaves the
   * upload unchanged.
   */
  finish(expected: { sizeBytes: number; sha256?: string }): Promise<void>;
  /** Syncs the received bytes and closes the file. */
  close(): Promise<void>;
}

/** Options of an UploadWriter. */
export interface UploadOptions {
  files: FileSystem;
  name: string;
  path: string;
  /** Number of bytes that are durable. */
  committedBytes: number;
  signal: AbortSignal;
  /** Throws if an upload of this size exceeds a limit or the free space. */
  checkFreeSpace(bytes: number): Promise<void>;
  /** Called with the number of durable bytes. */
  onCommitted(bytes: number): Promise<void>;
  /** Called when the upload is complete and durable. */
  onComplete(sizeBytes: number, sha256: string): Promise<void>;
}

/** Opens the file of an upload and hashes the bytes that are durable. */
export async function openUploadWriter(options: UploadOptions): Promise<UploadWriter> {
  const { files, name, path, signal } = options;
  const file = await openFile(files, path);
  const hash = createHash("sha256");
  let position = 0;
  let synced = options.committedBytes;
  let syncing: Promise<void> | undefined;
  let failure: HostError | undefined;
  /** Queued writes. Receiving continues up to limits.uploadQueueBytes. */
  let writing: Promise<void> = Promise.resolve();
  let queuedBytes = 0;
  try {
    // Bytes after the durable ones may be invalid after a crash.
    await file.truncate(options.committedBytes);
    for (; position < options.committedBytes;) {
      const chunk = await readAt(
        file,
        position,
        Math.min(limits.copyChunkBytes, options.committedBytes - position),
      );
      hash.update(chunk);
      position += chunk.length;
    }
  } catch (error) {
    await file.close();
    throw error;
  }

  const fail = (error: unknown) =>
    void (failure ??= HostError.from(fromFileError(error, `The transfer ${name}`)));

  function writeBehind(bytes: Uint8Array, at: number): void {
    queuedBytes += bytes.length;
    writing = writing
      .then(() => (failure ? undefined : file.write(bytes, at)))
      .catch(fail)
      .finally(() => void (queuedBytes -= bytes.length));
  }

  async function sync(): Promise<void> {
    const upTo = position;
    await writing;
    if (failure) throw failure;
    await file.sync();
    synced = upTo;
    await options.onCommitted(upTo);
  }

  /**
   * Syncs in the background when enough bytes were received. The next write throws an error of the
   * sync.
   */
  function syncIfDue(): void {
    if (syncing || position - synced < limits.transferSyncBytes) return;
    syncing = sync()
      .catch(fail)
      .finally(() => void (syncing = undefined));
  }

  function check(): void {
    signal.throwIfAborted();
    if (failure) throw failure;
  }

  async function compare(offset: number, bytes: Uint8Array): Promise<void> {
    await writing;
    check();
    const present = await readAt(file, offset, bytes.length);
    if (present.equals(bytes)) return;
    throw new HostError(
      "TRANSFER_DAMAGED",
      `The bytes of the transfer ${name} at offset ${offset} differ from those received before: the archive is a different one or has changed. Delete the transfer and send it again.`,
      {
        metadata: { transfer: name, offset: String(offset) },
      },
    );
  }

  return {
    signal,
    get position() {
      return position;
    },
    async write(offset, bytes) {
      check();
      if (offset > position) {
        throw new HostError(
          "TRANSFER_OFFSET",
          `The next offset of the transfer ${name} is ${position}, not ${offset}. Send the bytes from there.`,
          {
            metadata: { transfer: name, committedBytes: String(position) },
          },
        );
      }
      const known = Math.min(bytes.length, position - offset);
      if (known > 0) await compare(offset, bytes.subarray(0, known));
      if (known === bytes.length) return;
      const added = bytes.subarray(known);
      await options.checkFreeSpace(position + added.length);
      writeBehind(added, position);
      hash.update(added);
      position += added.length;
      syncIfDue();
      if (queuedBytes > limits.uploadQueueBytes) await writing;
    },
    async finish({ sizeBytes, sha256 }) {
      check();
      if (sizeBytes !== position) {
        throw new HostError(
          "TRANSFER_DAMAGED",
          `The transfer ${name} has ${position} bytes, but its trailer states ${sizeBytes}. Send all bytes, or correct the size.`,
          {
            metadata: { transfer: name, committedBytes: String(position) },
          },
        );
      }
      const actual = hash.copy().digest("hex");
      if (sha256 !== undefined && sha256 !== actual) {
        throw new HostError(
          "TRANSFER_DAMAGED",
          `The digest of the transfer ${name} differs from that in its trailer: the data changed on the way. Delete the transfer and send it again.`,
          {
            metadata: { transfer: name, sha256: actual },
          },
        );
      }
      await syncing;
      check();
      await sync();
      await options.onComplete(position, actual);
    },
    async close() {
      await writing;
      await syncing;
      try {
        if (!failure && synced < position) await sync();
      } finally {
        await file.close();
      }
    },
  };
}

async function openFile(files: FileSystem, path: string): Promise<OpenFile> {
  return (await files.status(path)) === undefined ? files.create(path) : files.openToWrite(path);
}

async function readAt(file: OpenFile, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  return buffer.subarray(0, await file.read(buffer, position));
}

import { createHash } from "node:crypto";
import { HostError } from "../../errors.js";
import { fromFileError } from "../../io/file-error.js";
import type { FileSystem, OpenFile } from "../../io/file-system.js";
import { limits } from "../../limits.js";

/** Bytes of an upload coming in, in order, by one writer at a time. */
export interface UploadWriter {
  /** Aborts when another stream took over or the transfer was deleted. */
  readonly signal: AbortSignal;
  /** Where the next byte goes. */
  readonly position: number;
  /**
   * Takes the bytes at an offset; resolves when the next may come. Bytes that are there already are compared. Throws
   * TRANSFER_OFFSET (metadata committedBytes) for a gap and TRANSFER_DAMAGED for bytes that differ from those that came before.
   */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** All of it is there. TRANSFER_DAMAGED unless size and, where it is given, digest are these; and then it is as it was. */
  finish(expected: { sizeBytes: number; sha256?: string }): Promise<void>;
  /** Makes durable what came. */
  close(): Promise<void>;
}

export interface UploadOptions {
  files: FileSystem;
  name: string;
  path: string;
  /** What is safe of it already. */
  committedBytes: number;
  signal: AbortSignal;
  /** Throws where there is no room for so many bytes. */
  checkRoom(bytes: number): Promise<void>;
  onCommitted(bytes: number): Promise<void>;
  onComplete(sizeBytes: number, sha256: string): Promise<void>;
}

export async function openUploadWriter(options: UploadOptions): Promise<UploadWriter> {
  const { files, name, path, signal } = options;
  const file = await openFile(files, path);
  const hash = createHash("sha256");
  let position = 0;
  let synced = options.committedBytes;
  let syncing: Promise<void> | undefined;
  let failure: HostError | undefined;
  /** Writes that are under way, one after the other: the stream goes on meanwhile, as far as limits.uploadQueueBytes. */
  let writing: Promise<void> = Promise.resolve();
  let queuedBytes = 0;
  try {
    // What a kill left beyond what was safe may be anything.
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

  /** In the background, one at a time: the stream goes on meanwhile. A failure shows at the next write. */
  function syncSometimes(): void {
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
      `The bytes at ${offset} of the transfer ${name} are not those that came before: it is another archive, or one that changed. Delete the transfer and send it anew.`,
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
          `The transfer ${name} goes on at ${position}, not at ${offset}.`,
          {
            metadata: { transfer: name, committedBytes: String(position) },
          },
        );
      }
      const known = Math.min(bytes.length, position - offset);
      if (known > 0) await compare(offset, bytes.subarray(0, known));
      if (known === bytes.length) return;
      const added = bytes.subarray(known);
      await options.checkRoom(position + added.length);
      writeBehind(added, position);
      hash.update(added);
      position += added.length;
      syncSometimes();
      if (queuedBytes > limits.uploadQueueBytes) await writing;
    },
    async finish({ sizeBytes, sha256 }) {
      check();
      if (sizeBytes !== position) {
        throw new HostError(
          "TRANSFER_DAMAGED",
          `The transfer ${name} has ${position} bytes and its end says ${sizeBytes}: something is missing or too much.`,
          {
            metadata: { transfer: name, committedBytes: String(position) },
          },
        );
      }
      const actual = hash.copy().digest("hex");
      if (sha256 !== undefined && sha256 !== actual) {
        throw new HostError(
          "TRANSFER_DAMAGED",
          `The transfer ${name} does not have the digest that its end says: what arrived is not what was sent. Delete it and send it anew.`,
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

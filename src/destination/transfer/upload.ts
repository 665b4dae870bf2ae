import { createHash } from "node:crypto";
import { HostError } from "../../errors.js";
import { fromFileError } from "../../io/file-error.js";
import type { FileSystem, OpenFile } from "../../io/file-system.js";
import { limits } from "../../limits.js";

/** Options of an UploadWriter. */
export interface UploadOptions {
  files: FileSystem;
  name: string;
  path: string;
  /** Number of bytes that are durable. */
  committedBytes: number;
  /** Aborts when another stream resumes the upload, or when the transfer is deleted. */
  signal: AbortSignal;
  /** Throws if an upload of this size exceeds a limit or the free space. */
  checkFreeSpace(bytes: number): Promise<void>;
  /** Called with the number of durable bytes. */
  onCommitted(bytes: number): Promise<void>;
  /** Called when the upload is complete and durable. */
  onComplete(sizeBytes: number, sha256: string): Promise<void>;
  /** Called when the file is closed. */
  onClosed(): Promise<void>;
}

/** Writes an upload in order. An upload has one writer at a time. */
export class UploadWriter {
  readonly #options: UploadOptions;
  readonly #file: OpenFile;
  readonly #hash = createHash("sha256");
  #position = 0;
  #synced: number;
  #syncing: Promise<void> | undefined;
  #failure: HostError | undefined;
  /** Queued writes. Receiving continues up to limits.uploadQueueBytes. */
  #writing: Promise<void> = Promise.resolve();
  #queuedBytes = 0;

  private constructor(options: UploadOptions, file: OpenFile) {
    this.#options = options;
    this.#file = file;
    this.#synced = options.committedBytes;
  }

  /** Opens the file of an upload and hashes the bytes that are durable. */
  static async open(options: UploadOptions): Promise<UploadWriter> {
    const file = await openFile(options.files, options.path);
    const writer = new UploadWriter(options, file);
    try {
      await writer.#resume();
    } catch (error) {
      await file.close();
      throw error;
    }
    return writer;
  }

  /** Aborts when another stream resumes the upload, or when the transfer is deleted. */
  get signal(): AbortSignal {
    return this.#options.signal;
  }

  /** Offset of the next byte. */
  get position(): number {
    return this.#position;
  }

  /**
   * Writes bytes at an offset; resolves when the writer accepts more. Compares bytes before `position`
   * with those received earlier. Throws TRANSFER_OFFSET (metadata committedBytes) for a gap, and
   * TRANSFER_DAMAGED for bytes that differ.
   */
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#check();
    if (offset > this.#position) throw this.#offsetError(offset);
    const known = Math.min(bytes.length, this.#position - offset);
    if (known > 0) await this.#compare(offset, bytes.subarray(0, known));
    if (known === bytes.length) return;
    const added = bytes.subarray(known);
    await this.#options.checkFreeSpace(this.#position + added.length);
    this.#writeBehind(added, this.#position);
    this.#hash.update(added);
    this.#position += added.length;
    this.#syncIfDue();
    if (this.#queuedBytes > limits.uploadQueueBytes) await this.#writing;
  }

  /** Completes the upload. Throws TRANSFER_DAMAGED unless size and digest match, and leaves the upload unchanged. */
  async finish(expected: { sizeBytes: number; sha256?: string }): Promise<void> {
    this.#check();
    const sha256 = this.#requireTrailer(expected);
    await this.#syncing;
    this.#check();
    await this.#sync();
    await this.#options.onComplete(this.#position, sha256);
  }

  /** Syncs the received bytes and closes the file. */
  async close(): Promise<void> {
    try {
      await this.#closeFile();
    } finally {
      await this.#options.onClosed();
    }
  }

  async #resume(): Promise<void> {
    const { committedBytes } = this.#options;
    // Bytes after the durable ones may be invalid after a crash.
    await this.#file.truncate(committedBytes);
    while (this.#position < committedBytes) {
      const chunk = await readAt(
        this.#file,
        this.#position,
        Math.min(limits.copyChunkBytes, committedBytes - this.#position),
      );
      this.#hash.update(chunk);
      this.#position += chunk.length;
    }
  }

  #check(): void {
    this.signal.throwIfAborted();
    if (this.#failure) throw this.#failure;
  }

  #fail(error: unknown): void {
    this.#failure ??= HostError.from(fromFileError(error, `The transfer ${this.#options.name}`));
  }

  #writeBehind(bytes: Uint8Array, at: number): void {
    this.#queuedBytes += bytes.length;
    this.#writing = this.#writing
      .then(() => (this.#failure ? undefined : this.#file.write(bytes, at)))
      .catch((error: unknown) => this.#fail(error))
      .finally(() => void (this.#queuedBytes -= bytes.length));
  }

  async #sync(): Promise<void> {
    const upTo = this.#position;
    await this.#writing;
    if (this.#failure) throw this.#failure;
    await this.#file.sync();
    this.#synced = upTo;
    await this.#options.onCommitted(upTo);
  }

  /** Syncs in the background when enough bytes were received. The next write throws an error of the sync. */
  #syncIfDue(): void {
    if (this.#syncing || this.#position - this.#synced < limits.transferSyncBytes) return;
    this.#syncing = this.#sync()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => void (this.#syncing = undefined));
  }

  async #compare(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#writing;
    this.#check();
    const present = await readAt(this.#file, offset, bytes.length);
    if (present.equals(bytes)) return;
    const { name } = this.#options;
    throw new HostError(
      "TRANSFER_DAMAGED",
      `The bytes of the transfer ${name} at offset ${offset} differ from those received before: the archive is a different one or has changed. Delete the transfer and send it again.`,
      { metadata: { transfer: name, offset: String(offset) } },
    );
  }

  /** Compares size and digest with those in the trailer, and returns the digest. */
  #requireTrailer({ sizeBytes, sha256 }: { sizeBytes: number; sha256?: string }): string {
    const { name } = this.#options;
    if (sizeBytes !== this.#position) {
      throw new HostError(
        "TRANSFER_DAMAGED",
        `The transfer ${name} has ${this.#position} bytes, but its trailer states ${sizeBytes}. Send all bytes, or correct the size.`,
        { metadata: { transfer: name, committedBytes: String(this.#position) } },
      );
    }
    const actual = this.#hash.copy().digest("hex");
    if (sha256 !== undefined && sha256 !== actual) {
      throw new HostError(
        "TRANSFER_DAMAGED",
        `The digest of the transfer ${name} differs from that in its trailer: the data changed on the way. Delete the transfer and send it again.`,
        { metadata: { transfer: name, sha256: actual } },
      );
    }
    return actual;
  }

  #offsetError(offset: number): HostError {
    const { name } = this.#options;
    return new HostError(
      "TRANSFER_OFFSET",
      `The next offset of the transfer ${name} is ${this.#position}, not ${offset}. Send the bytes from there.`,
      { metadata: { transfer: name, committedBytes: String(this.#position) } },
    );
  }

  async #closeFile(): Promise<void> {
    await this.#writing;
    await this.#syncing;
    try {
      if (!this.#failure && this.#synced < this.#position) await this.#sync();
    } finally {
      await this.#file.close();
    }
  }
}

async function openFile(files: FileSystem, path: string): Promise<OpenFile> {
  return (await files.status(path)) === undefined ? files.create(path) : files.openToWrite(path);
}

async function readAt(file: OpenFile, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  return buffer.subarray(0, await file.read(buffer, position));
}

import { dirname, join } from "node:path";
import { HostError } from "../../errors.js";
import { publishFile } from "../../io/durable-file.js";
import { canonicalFiles } from "../../io/canonical-files.js";
import { fromFileError } from "../../io/file-error.js";
import type { FileSystem, OpenFile } from "../../io/file-system.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import { detectRepetition, type PublishedFile, type Repetition } from "./repetition.js";
import { SlotWriter, uploadConflict, wrongLength, type Slot } from "./slot.js";
import { createSpans, type Span } from "./spans.js";

interface OpenSlot extends Slot {
  controller: AbortController;
  closed: Promise<void>;
  close(): void;
}

/**
 * Returns a new path for a partial upload, with a name that backups in the same directory do not
 * mistake for a leftover.
 */
export function partialPathFor(platform: Pick<Platform, "randomHex">, path: string): string {
  return join(dirname(path), `.upload-${platform.randomHex(8)}.holdfast`);
}

/** Options of Upload.begin. */
export interface NewUpload {
  path: string;
  partialPath: string;
  total: number | undefined;
  sha256: string | undefined;
  /** The published file, if it has the same size. */
  published: PublishedFile | undefined;
}

/** An upload in parts, stored next to the file that it will replace. */
export class Upload {
  private readonly files: FileSystem;
  private readonly spans = createSpans();
  private readonly repetition: Repetition;
  private readonly slots = new Set<OpenSlot>();
  private size: number | undefined;
  /** Whether an empty body was received, which has no span. */
  private receivedEmpty = false;
  /**
   * Whether the complete upload failed the check and repeated parts are uncertain, until another
   * part arrives.
   */
  private doubted = false;
  private failed: HostError | undefined;
  private touchedMs = performance.now();
  /** The open file while it is in use. */
  private opened: Promise<OpenFile> | undefined;
  private users = 0;

  private constructor(
    private readonly platform: Pick<Platform, "files">,
    private readonly options: NewUpload,
  ) {
    this.files = canonicalFiles(platform.files);
    this.repetition = detectRepetition(this.files, options.published);
    this.size = options.total;
  }

  /** Creates the partial file of an upload. */
  static async begin(platform: Pick<Platform, "files">, options: NewUpload): Promise<Upload> {
    const upload = new Upload(platform, options);
    await upload.createFile();
    return upload;
  }

  /** Path of the partial upload. */
  get partialPath(): string {
    return this.options.partialPath;
  }

  /** Total size in bytes; undefined while unknown. */
  get total(): number | undefined {
    return this.size;
  }

  /** The received spans, without uncertain ones. */
  get received(): readonly Span[] {
    if (!this.doubted) return this.spans.list;
    const certain = createSpans();
    for (const span of this.spans.list) certain.add(span);
    for (const span of this.repetition.parts.list) certain.remove(span);
    return certain.list;
  }

  /** Whether all bytes were received. */
  get complete(): boolean {
    const [only] = this.spans.list;
    return (
      this.failed === undefined &&
      !this.doubted &&
      (this.receivedEmpty || (only?.start === 0 && only.end === this.size))
    );
  }

  /**
   * Whether all received bytes equal the published file: parts of the last upload sent again, or a
   * new file with the same beginning.
   */
  get repeats(): boolean {
    return this.repetition.only && this.spans.list.length > 0;
  }

  /** Announced SHA-256 of the whole file in lower-case hexadecimal. */
  get sha256(): string | undefined {
    return this.options.sha256;
  }

  /** Whether a request is sending a part. */
  get busy(): boolean {
    return this.slots.size > 0;
  }

  /** Error that makes the upload unusable. */
  get failure(): HostError | undefined {
    return this.failed;
  }

  /** Time since the last request, in milliseconds; 0 while busy. */
  idleMs(): number {
    return this.busy ? 0 : performance.now() - this.touchedMs;
  }

  /**
   * Reserves a slot for a request. A concurrent request for exactly the same span is aborted, as
   * the sender has retried. Throws UPLOAD_CONFLICT if another request is sending an overlapping
   * span.
   */
  async reserve(span: Span & Pick<Slot, "lengths">): Promise<Slot> {
    await this.abortRetried(span);
    if (this.slots.size >= limits.fileRequests)
      throw new HostError(
        "STREAM_LIMIT",
        `Limit of ${this.slots.size} concurrent requests per file reached. Wait for one to end.`,
      );
    const { length } = this.spans.list;
    if (length >= limits.fileUploadRanges)
      throw new HostError(
        "TRANSFER_LIMIT",
        `Limit of ${length} separate parts per file reached. Send the parts in the gaps first.`,
      );
    // Parts that may belong to another file are not compared with this request.
    this.forget(this.repetition.parts.within(span));
    return this.openSlot(span);
  }

  /**
   * Receives the bytes of a slot, which count once they are complete. Bytes received before are
   * compared.
   */
  async receive(slot: Slot, bytes: AsyncIterable<Buffer>): Promise<void> {
    try {
      const end = await this.withFile((file) => this.writeSlot(file, slot, bytes));
      this.spans.add({ start: slot.start, end });
      this.doubted = false;
      this.size ??= end;
      this.receivedEmpty = this.size === 0;
    } finally {
      this.release(slot);
    }
  }

  /** Releases a slot whose bytes were not received. */
  release(slot: Slot): void {
    const open = slot as OpenSlot;
    this.slots.delete(open);
    this.touchedMs = performance.now();
    open.close();
  }

  /**
   * Marks the parts that may be repeated parts of the last upload as uncertain: the upload is
   * incomplete until other parts replace them. Returns false if there are none.
   */
  doubtRepeated(): boolean {
    // The parts are kept: a sender whose part equals the published file got a success response
    // and does not send it again.
    this.doubted = this.repetition.parts.list.length > 0;
    // Senders have been waiting for the check, so restart the idle time.
    this.touchedMs = performance.now();
    return this.doubted;
  }

  /** Moves the upload to its path, durably. */
  async publish(): Promise<void> {
    try {
      await publishFile(this.platform, this.partialPath, this.options.path);
    } catch (error) {
      throw this.fileError(error);
    }
  }

  /** Aborts all requests and removes the partial upload. */
  async discard(reason: HostError): Promise<void> {
    this.fail(reason);
    await Promise.all([...this.slots].map(({ closed }) => closed));
    await this.files.remove(this.partialPath);
  }

  private async createFile(): Promise<void> {
    this.users += 1;
    this.opened = this.files.create(this.partialPath);
    await this.opened.catch((error: unknown) => {
      throw this.fileError(error);
    });
    await this.releaseFile();
  }

  /** Runs work with the file, which is open while any work uses it. */
  private async withFile<T>(work: (file: OpenFile) => Promise<T>): Promise<T> {
    this.users += 1;
    try {
      return await work(await (this.opened ??= this.files.openToWrite(this.partialPath)));
    } catch (error) {
      const known = this.fileError(error);
      // The content of the file is unknown after a failed write.
      if (known !== error) this.fail(HostError.from(known));
      throw known;
    } finally {
      await this.releaseFile();
    }
  }

  private async releaseFile(): Promise<void> {
    this.users -= 1;
    if (this.users > 0) return;
    const file = this.opened;
    this.opened = undefined;
    try {
      await (await file)?.close();
    } catch (error) {
      this.fail(HostError.from(this.fileError(error)));
    }
  }

  /** Writes the bytes of a request and checks their number. Returns the end of the written span. */
  private async writeSlot(
    file: OpenFile,
    slot: Slot,
    source: AsyncIterable<Buffer>,
  ): Promise<number> {
    const end = await new SlotWriter(file, slot, this.spans.within(slot)).writeAll(source);
    const length = end - slot.start;
    if (slot.lengths && !slot.lengths.includes(length)) throw wrongLength(slot, String(length));
    if (length === 0 && this.size !== 0) throw new HostError("REQUEST_INVALID", "no data to write");
    await this.repetition.note(file, { start: slot.start, end });
    return end;
  }

  /** Aborts a request for the same span. Throws UPLOAD_CONFLICT if another one overlaps. */
  private async abortRetried({ start, end }: Span): Promise<void> {
    for (const other of [...this.slots]) {
      if (other.start >= end || other.end <= start) continue;
      if (other.start !== start || other.end !== end)
        throw uploadConflict(
          `Another request is sending bytes in the range ${start} to ${end - 1}. Wait for it to end.`,
        );
      other.controller.abort(
        uploadConflict(`Replaced by another request for bytes ${start} to ${end - 1}.`),
      );
      await other.closed;
    }
  }

  private openSlot({ start, end, lengths }: Span & Pick<Slot, "lengths">): OpenSlot {
    const controller = new AbortController();
    let close = () => {};
    const closed = new Promise<void>((resolve) => (close = resolve));
    const slot: OpenSlot = {
      start,
      end,
      ...(lengths && { lengths }),
      signal: controller.signal,
      controller,
      closed,
      close,
    };
    this.slots.add(slot);
    return slot;
  }

  private forget(parts: readonly Span[]): void {
    for (const part of parts) {
      this.repetition.parts.remove(part);
      this.spans.remove(part);
    }
  }

  private fail(reason: HostError): void {
    this.failed ??= reason;
    for (const slot of this.slots) slot.controller.abort(reason);
  }

  private fileError(error: unknown): unknown {
    return fromFileError(error, `Receiving ${this.options.path}`);
  }
}

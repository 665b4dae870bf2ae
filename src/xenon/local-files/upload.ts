import { dirname, join } from "node:path";
import { HostError } from "../../errors.js";
import { publishFile } from "../../io/durable-file.js";
import { canonicalFiles } from "../../io/canonical-files.js";
import { fromFileError } from "../../io/file-error.js";
import type { OpenFile } from "../../io/file-system.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import { detectRepetition, type PublishedFile } from "./repetition.js";
import { createSpans, type Span } from "./spans.js";

/** A part of an upload reserved for one request. */
export interface Slot extends Span {
  /** Allowed numbers of bytes. If undefined, any number up to the end of the slot. */
  lengths?: readonly number[];
  /** Aborts when the bytes are no longer needed. */
  signal: AbortSignal;
}

/** An upload in parts, stored next to the file that it will replace. */
export interface Upload {
  /** Path of the partial upload. */
  readonly partialPath: string;
  /** Total size in bytes; undefined while unknown. */
  readonly total: number | undefined;
  readonly received: readonly Span[];
  readonly complete: boolean;
  /**
   * Whether all received bytes equal the published file: parts of the last upload sent again, or a
   * new file with the same beginning.
   */
  readonly repeats: boolean;
  /** Announced SHA-256 of the whole file in lower-case hexadecimal. */
  readonly sha256: string | undefined;
  /** Whether a request is sending a part. */
  readonly busy: boolean;
  /** Time since the last request, in milliseconds; 0 while busy. */
  idleMs(): number;
  /** Error that makes the upload unusable. */
  readonly failure: HostError | undefined;
  /**
   * Reserves a slot for a request. A concurrent request for exactly the same span is aborted, as
   * the sender has retried. Throws UPLOAD_CONFLICT if another request is sending an overlapping
   * span.
   */
  reserve(span: Span & Pick<Slot, "lengths">): Promise<Slot>;
  /**
   * Receives the bytes of a slot, which count once they are complete. Bytes received before are
   * compared.
   */
  receive(slot: Slot, bytes: AsyncIterable<Buffer>): Promise<void>;
  /** Releases a slot whose bytes were not received. */
  release(slot: Slot): void;
  /**
   * Marks the parts that may be repeated parts of the last upload as uncertain: the upload is
   * incomplete until other parts replace them. Returns false if there are none.
   */
  doubtRepeated(): boolean;
  /** Moves the upload to its path, durably. */
  publish(): Promise<void>;
  /** Aborts all requests and removes the partial upload. */
  discard(reason: HostError): Promise<void>;
}

interface OpenSlot extends Slot {
  controller: AbortController;
  closed: Promise<void>;
  close(): void;
}

/**
 * Returns a new path for a partial upload, with a name that backups in the same directory do not
 * mistake for a leftover.
 */
export const partialPathFor = (platform: Pick<Platform, "randomHex">, path: string) =>
  join(dirname(path), `.upload-${platform.randomHex(8)}.holdfast`);

/** Options of beginUpload. */
export interface NewUpload {
  path: string;
  partialPath: string;
  total: number | undefined;
  sha256: string | undefined;
  /** The published file, if it has the same size. */
  published: PublishedFile | undefined;
}

/** Creates the partial file of an upload. */
export async function beginUpload(
  platform: Pick<Platform, "files">,
  { path, partialPath, total, sha256, published }: NewUpload,
): Promise<Upload> {
  const files = canonicalFiles(platform.files);
  const what = `Receiving ${path}`;
  const spans = createSpans();
  const repetition = detectRepetition(files, published);
  const slots = new Set<OpenSlot>();
  let size = total;
  /** Whether an empty body was received, which has no span. */
  let receivedEmpty = false;
  /**
   * Whether the complete upload failed the check and repeated parts are uncertain, until another
   * part arrives.
   */
  let doubted = false;
  let failure: HostError | undefined;
  let touchedMs = performance.now();
  /** The open file while it is in use. */
  let opened: Promise<OpenFile> | undefined = files.create(partialPath);
  let users = 1;
  await opened.catch((error: unknown) => {
    throw fromFileError(error, what);
  });
  await releaseFile();

  async function releaseFile(): Promise<void> {
    users -= 1;
    if (users > 0) return;
    const file = opened;
    opened = undefined;
    try {
      await (await file)?.close();
    } catch (error) {
      fail(HostError.from(fromFileError(error, what)));
    }
  }

  async function use<T>(work: (file: OpenFile) => Promise<T>): Promise<T> {
    users += 1;
    try {
      return await work(await (opened ??= files.openToWrite(partialPath)));
    } catch (error) {
      const known = fromFileError(error, what);
      // The content of the file is unknown after a failed write.
      if (known !== error) fail(HostError.from(known));
      throw known;
    } finally {
      await releaseFile();
    }
  }

  function fail(reason: HostError): void {
    failure ??= reason;
    for (const slot of slots) slot.controller.abort(reason);
  }

  function forget(parts: readonly Span[]): void {
    for (const part of parts) {
      repetition.parts.remove(part);
      spans.remove(part);
    }
  }

  /** Returns the received spans without uncertain ones. */
  function certainSpans(): readonly Span[] {
    if (!doubted) return spans.list;
    const certain = createSpans();
    for (const span of spans.list) certain.add(span);
    for (const span of repetition.parts.list) certain.remove(span);
    return certain.list;
  }

  function close(slot: OpenSlot): void {
    slots.delete(slot);
    touchedMs = performance.now();
    slot.close();
  }

  async function put(
    file: OpenFile,
    bytes: Buffer,
    position: number,
    known: readonly Span[],
  ): Promise<void> {
    let at = position;
    const end = position + bytes.length;
    const part = (from: number, to: number) => bytes.subarray(from - position, to - position);
    for (const { start, end: until } of known) {
      const from = Math.max(start, at);
      const to = Math.min(until, end);
      if (from >= to) continue;
      if (at < from) await file.write(part(at, from), at);
      const present = Buffer.allocUnsafe(to - from);
      const count = await file.read(present, from);
      if (count < present.length || !present.equals(part(from, to))) {
        throw conflict(
          `Bytes ${from} to ${to - 1} differ from those received before: the file is another one or was modified. The request was ignored.`,
        );
      }
      at = to;
    }
    if (at < end) await file.write(part(at, end), at);
  }

  async function take(slot: Slot, source: AsyncIterable<Buffer>, file: OpenFile): Promise<number> {
    const known = spans.within(slot);
    let position = slot.start;
    /** Data received during a write; written next, in one operation. */
    let queue: Buffer[] = [];
    let queuedBytes = 0;
    let busy = false;
    let written: Promise<void> = Promise.resolve();
    let problem: { error: unknown } | undefined;

    async function writeQueue(): Promise<void> {
      busy = true;
      try {
        while (queue.length > 0) {
          const pieces = queue;
          let at = position - queuedBytes;
          queue = [];
          queuedBytes = 0;
          if (known.length === 0) await file.writeMany(pieces, at);
          else {
            for (const piece of pieces) {
              await put(file, piece, at, known);
              at += piece.length;
            }
          }
        }
      } catch (error) {
        problem = { error };
      }
      busy = false;
    }

    slot.signal.throwIfAborted();
    try {
      for await (const bytes of source) {
        slot.signal.throwIfAborted();
        if (problem) break;
        if (position + bytes.length > slot.end)
          throw wrongLength(slot, `at least ${position + bytes.length - slot.start}`);
        position += bytes.length;
        queue.push(bytes);
        queuedBytes += bytes.length;
        if (!busy) written = writeQueue();
        else if (queuedBytes >= limits.fileQueueBytes) await written;
      }
    } finally {
      // A later request for the same span must not overlap with a write of this one.
      await written;
    }
    if (problem) throw problem.error;
    slot.signal.throwIfAborted();
    return position;
  }

  return {
    partialPath,
    get total() {
      return size;
    },
    get received() {
      return certainSpans();
    },
    get complete() {
      const [only] = spans.list;
      return (
        failure === undefined &&
        !doubted &&
        (receivedEmpty || (only?.start === 0 && only.end === size))
      );
    },
    get repeats() {
      return repetition.only && spans.list.length > 0;
    },
    sha256,
    get busy() {
      return slots.size > 0;
    },
    idleMs: () => (slots.size > 0 ? 0 : performance.now() - touchedMs),
    get failure() {
      return failure;
    },

    async reserve({ start, end, lengths }) {
      for (const other of [...slots]) {
        if (other.start >= end || other.end <= start) continue;
        if (other.start !== start || other.end !== end)
          throw conflict(
            `Another request is sending bytes in the range ${start} to ${end - 1}. Wait for it to end.`,
          );
        other.controller.abort(
          conflict(`Replaced by another request for bytes ${start} to ${end - 1}.`),
        );
        await other.closed;
      }
      if (slots.size >= limits.fileRequests)
        throw new HostError(
          "STREAM_LIMIT",
          `Limit of ${slots.size} concurrent requests per file reached. Wait for one to end.`,
        );
      if (spans.list.length >= limits.fileUploadRanges)
        throw new HostError(
          "TRANSFER_LIMIT",
          `Limit of ${spans.list.length} separate parts per file reached. Send the parts in the gaps first.`,
        );
      // Parts that may belong to another file are not compared with this request.
      forget(repetition.parts.within({ start, end }));
      const controller = new AbortController();
      let done = () => {};
      const closed = new Promise<void>((resolve) => (done = resolve));
      const slot: OpenSlot = {
        start,
        end,
        ...(lengths && { lengths }),
        signal: controller.signal,
        controller,
        closed,
        close: done,
      };
      slots.add(slot);
      return slot;
    },

    async receive(slot, source) {
      try {
        const position = await use(async (file) => {
          const end = await take(slot, source, file);
          const length = end - slot.start;
          if (slot.lengths && !slot.lengths.includes(length))
            throw wrongLength(slot, String(length));
          if (length === 0 && size !== 0)
            throw new HostError("REQUEST_INVALID", "no data to write");
          await repetition.note(file, { start: slot.start, end });
          return end;
        });
        spans.add({ start: slot.start, end: position });
        doubted = false;
        size ??= position;
        receivedEmpty = size === 0;
      } finally {
        close(slot as OpenSlot);
      }
    },

    release: (slot) => close(slot as OpenSlot),

    doubtRepeated() {
      // The parts are kept: a sender whose part equals the published file got a success response
      // and does not send it again.
      doubted = repetition.parts.list.length > 0;
      // Senders have been waiting for the check, so restart the idle time.
      touchedMs = performance.now();
      return doubted;
    },

    async publish() {
      try {
        await publishFile(platform, partialPath, path);
      } catch (error) {
        throw fromFileError(error, what);
      }
    },

    async discard(reason) {
      fail(reason);
      await Promise.all([...slots].map(({ closed }) => closed));
      await files.remove(partialPath);
    },
  };
}

const conflict = (message: string) => new HostError("UPLOAD_CONFLICT", message);

/**
 * Returns the error for a wrong length. A slot without lengths ends at the free space of the disk.
 */
function wrongLength({ lengths }: Slot, found: string): HostError {
  if (lengths === undefined)
    return new HostError(
      "DESTINATION_FULL",
      `Not enough disk space: the body has ${found} bytes, more than were free when it started. The existing file is unchanged.`,
    );
  return new HostError(
    "REQUEST_INVALID",
    `The body has ${found} bytes, but its headers declare ${lengths.join(" or ")}. The request was ignored.`,
    { metadata: { field: "content-range" } },
  );
}

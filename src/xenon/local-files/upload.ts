import { dirname, join } from "node:path";
import { HostError } from "../../errors.js";
import { publishFile } from "../../io/durable-file.js";
import { canonicalFiles } from "../../io/canonical-files.js";
import { fromFileError } from "../../io/file-error.js";
import type { OpenFile } from "../../io/file-system.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import { watchRepetition, type PublishedFile } from "./repetition.js";
import { createSpans, type Span } from "./spans.js";

/** A part of an upload that one request sends. */
export interface Slot extends Span {
  /** How many bytes it may have; absent: any number up to its end. */
  lengths?: readonly number[];
  /** Aborts when its bytes are not wanted any more. */
  signal: AbortSignal;
}

/** A file that comes in parts, beside the one that it is going to replace. */
export interface Upload {
  readonly unfinished: string;
  /** Undefined while it is not known. */
  readonly total: number | undefined;
  readonly received: readonly Span[];
  readonly complete: boolean;
  /** What came of it is there already, byte for byte: somebody sent a part of the last upload again, or begins one that is like it. */
  readonly repeats: boolean;
  /** The SHA-256 of the whole file in lower-case hexadecimal, where its sender tells it before. */
  readonly sha256: string | undefined;
  /** Whether a request sends a part of it. */
  readonly busy: boolean;
  /** How long no request has sent a part, in milliseconds. */
  quietMs(): number;
  /** What made it useless. */
  readonly failure: HostError | undefined;
  /**
   * Takes a place for one request. One that sends the very same part is ended: its sender is here again. UPLOAD_CONFLICT
   * where another sends some of it.
   */
  reserve(span: Span & Pick<Slot, "lengths">): Promise<Slot>;
  /** Takes the bytes of a slot; it counts when all of them are there. Bytes that are there already are compared. */
  receive(slot: Slot, bytes: AsyncIterable<Buffer>): Promise<void>;
  /** Gives a slot back whose bytes never came. */
  release(slot: Slot): void;
  /**
   * Takes the parts that may be those of the last upload, sent again, for such until others come in their place: it is not
   * complete, though all of it may be there. False where there are none.
   */
  doubtRepeated(): boolean;
  /** Makes it the file at the path, durably. */
  publish(): Promise<void>;
  discard(why: HostError): Promise<void>;
}

interface OpenSlot extends Slot {
  controller: AbortController;
  closed: Promise<void>;
  close(): void;
}

/** A name that no backup in the same directory takes for a leftover of its own. */
export const unfinishedName = (platform: Pick<Platform, "randomHex">, path: string) =>
  join(dirname(path), `.upload-${platform.randomHex(8)}.holdfast`);

export interface NewUpload {
  path: string;
  unfinished: string;
  total: number | undefined;
  sha256: string | undefined;
  /** The file that was put there last, if it has the same size. */
  published: PublishedFile | undefined;
}

export async function beginUpload(
  platform: Pick<Platform, "files">,
  { path, unfinished, total, sha256, published }: NewUpload,
): Promise<Upload> {
  const files = canonicalFiles(platform.files);
  const what = `Receiving ${path}`;
  const spans = createSpans();
  const repetition = watchRepetition(files, published);
  const slots = new Set<OpenSlot>();
  let size = total;
  /** Of no bytes there is no span. */
  let cameEmpty = false;
  /** Whether all that is there did not hold together, until something else comes. */
  let doubted = false;
  let failure: HostError | undefined;
  let touchedMs = performance.now();
  /** Open while somebody uses it. */
  let opened: Promise<OpenFile> | undefined = files.create(unfinished);
  let users = 1;
  await opened.catch((error: unknown) => {
    throw fromFileError(error, what);
  });
  await leave();

  async function leave(): Promise<void> {
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
      return await work(await (opened ??= files.openToWrite(unfinished)));
    } catch (error) {
      const known = fromFileError(error, what);
      // Of a file that could not be written nobody knows what it holds.
      if (known !== error) fail(HostError.from(known));
      throw known;
    } finally {
      await leave();
    }
  }

  function fail(why: HostError): void {
    failure ??= why;
    for (const slot of slots) slot.controller.abort(why);
  }

  function forget(parts: readonly Span[]): void {
    for (const part of parts) {
      repetition.parts.remove(part);
      spans.remove(part);
    }
  }

  /** What came, without what has to come again. */
  function certain(): readonly Span[] {
    if (!doubted) return spans.list;
    const sure = createSpans();
    for (const span of spans.list) sure.add(span);
    for (const span of repetition.parts.list) sure.remove(span);
    return sure.list;
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
          `The bytes ${from} to ${to - 1} are not those that came before: this is another file, or one that changed. Nothing of the request was taken.`,
        );
      }
      at = to;
    }
    if (at < end) await file.write(part(at, end), at);
  }

  async function take(slot: Slot, source: AsyncIterable<Buffer>, file: OpenFile): Promise<number> {
    const known = spans.within(slot);
    let position = slot.start;
    /** What came while something was written: that is written next, in one piece. */
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
      // Whoever comes for the same place must not meet a write of this one.
      await written;
    }
    if (problem) throw problem.error;
    slot.signal.throwIfAborted();
    return position;
  }

  return {
    unfinished,
    get total() {
      return size;
    },
    get received() {
      return certain();
    },
    get complete() {
      const [only] = spans.list;
      return (
        failure === undefined && !doubted && (cameEmpty || (only?.start === 0 && only.end === size))
      );
    },
    get repeats() {
      return repetition.only && spans.list.length > 0;
    },
    sha256,
    get busy() {
      return slots.size > 0;
    },
    quietMs: () => (slots.size > 0 ? 0 : performance.now() - touchedMs),
    get failure() {
      return failure;
    },

    async reserve({ start, end, lengths }) {
      for (const other of [...slots]) {
        if (other.start >= end || other.end <= start) continue;
        if (other.start !== start || other.end !== end)
          throw conflict(
            `Another request is sending bytes of ${start} to ${end - 1}; wait for it to end.`,
          );
        other.controller.abort(
          conflict(`Another request sends the bytes ${start} to ${end - 1} anew.`),
        );
        await other.closed;
      }
      if (slots.size >= limits.fileRequests)
        throw new HostError(
          "STREAM_LIMIT",
          `${slots.size} requests send parts of this file, as many as the host takes; wait for one to end.`,
        );
      if (spans.list.length >= limits.fileSpans)
        throw new HostError(
          "TRANSFER_LIMIT",
          `The file has come in ${spans.list.length} parts with gaps between them, as many as the host keeps; send what is between.`,
        );
      // What may be of another file is not what this one is held to.
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
        cameEmpty = size === 0;
      } finally {
        close(slot as OpenSlot);
      }
    },

    release: (slot) => close(slot as OpenSlot),

    doubtRepeated() {
      // Kept: a sender whose part is like one of the last file was told that it is here, and does not send it again.
      doubted = repetition.parts.list.length > 0;
      // Its senders waited until now to hear whether it is complete.
      touchedMs = performance.now();
      return doubted;
    },

    async publish() {
      try {
        await publishFile(platform, unfinished, path);
      } catch (error) {
        throw fromFileError(error, what);
      }
    },

    async discard(why) {
      fail(why);
      await Promise.all([...slots].map(({ closed }) => closed));
      await files.remove(unfinished);
    },
  };
}

const conflict = (message: string) => new HostError("UPLOAD_CONFLICT", message);

/** Of a body that said nothing of its length the end of its slot is that of the free space. */
function wrongLength({ lengths }: Slot, found: string): HostError {
  if (lengths === undefined)
    return new HostError(
      "DESTINATION_FULL",
      `The body has ${found} bytes, more than were free when it began. What was there before is as it was.`,
    );
  return new HostError(
    "REQUEST_INVALID",
    `The body has ${found} bytes, and its headers say ${lengths.join(" or ")}. Nothing of it was taken.`,
    { metadata: { field: "content-range" } },
  );
}

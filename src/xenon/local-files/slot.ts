import { HostError } from "../../errors.js";
import type { OpenFile } from "../../io/file-system.js";
import { limits } from "../../limits.js";
import type { Span } from "./spans.js";

/** A part of an upload reserved for one request. */
export interface Slot extends Span {
  /** Allowed numbers of bytes. If undefined, any number up to the end of the slot. */
  lengths?: readonly number[];
  /** Aborts when the bytes are no longer needed. */
  signal: AbortSignal;
}

/** Writes the bytes of one request into its slot, and receives more of them during a write. */
export class SlotWriter {
  private position: number;
  /** Data received during a write; written next, in one operation. */
  private queue: Buffer[] = [];
  private queuedBytes = 0;
  private busy = false;
  private written: Promise<void> = Promise.resolve();
  private problem: { error: unknown } | undefined;

  /** `known` are the parts of the slot that were received before, in order. */
  constructor(
    private readonly file: OpenFile,
    private readonly slot: Slot,
    private readonly known: readonly Span[],
  ) {
    this.position = slot.start;
  }

  /**
   * Writes all bytes and compares those received before. Resolves to the end of the written span.
   * Throws UPLOAD_CONFLICT if bytes differ.
   */
  async writeAll(source: AsyncIterable<Buffer>): Promise<number> {
    const { slot } = this;
    slot.signal.throwIfAborted();
    try {
      for await (const bytes of source) {
        slot.signal.throwIfAborted();
        if (this.problem) break;
        if (this.position + bytes.length > slot.end)
          throw wrongLength(slot, `at least ${this.position + bytes.length - slot.start}`);
        this.position += bytes.length;
        this.queue.push(bytes);
        this.queuedBytes += bytes.length;
        if (!this.busy) this.written = this.writeQueue();
        else if (this.queuedBytes >= limits.fileQueueBytes) await this.written;
      }
    } finally {
      // A later request for the same span must not overlap with a write of this one.
      await this.written;
    }
    if (this.problem) throw this.problem.error;
    slot.signal.throwIfAborted();
    return this.position;
  }

  private async writeQueue(): Promise<void> {
    this.busy = true;
    try {
      while (this.queue.length > 0) {
        const pieces = this.queue;
        let at = this.position - this.queuedBytes;
        this.queue = [];
        this.queuedBytes = 0;
        if (this.known.length === 0) await this.file.writeMany(pieces, at);
        else {
          for (const piece of pieces) {
            await this.put(piece, at);
            at += piece.length;
          }
        }
      }
    } catch (error) {
      this.problem = { error };
    }
    this.busy = false;
  }

  /** Writes the bytes that are new, and compares the others with those received before. */
  private async put(bytes: Buffer, position: number): Promise<void> {
    let at = position;
    const end = position + bytes.length;
    const part = (from: number, to: number) => bytes.subarray(from - position, to - position);
    for (const { start, end: until } of this.known) {
      const from = Math.max(start, at);
      const to = Math.min(until, end);
      if (from >= to) continue;
      if (at < from) await this.file.write(part(at, from), at);
      await this.compare(part(from, to), from);
      at = to;
    }
    if (at < end) await this.file.write(part(at, end), at);
  }

  private async compare(bytes: Buffer, position: number): Promise<void> {
    const present = Buffer.allocUnsafe(bytes.length);
    const count = await this.file.read(present, position);
    if (count === present.length && present.equals(bytes)) return;
    throw uploadConflict(
      `Bytes ${position} to ${position + bytes.length - 1} differ from those received before: the file is another one or was modified. The request was ignored.`,
    );
  }
}

/** Returns the error for a request that conflicts with another one. */
export function uploadConflict(message: string): HostError {
  return new HostError("UPLOAD_CONFLICT", message);
}

/**
 * Returns the error for a wrong length. A slot without lengths ends at the free space of the disk.
 */
export function wrongLength({ lengths }: Slot, found: string): HostError {
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

import type { Sink } from "../network/file-sink.js";

/**
 * Makes the writes of a download iterable. A write resolves when its bytes were consumed, so nothing
 * is buffered. After a restart, bytes that were consumed before are skipped.
 */
export class PullSink implements Sink, AsyncIterable<Buffer> {
  /** Offset of the next byte to yield. */
  #position: number;
  readonly #end: number;
  #offered: { bytes: Buffer; consumed: () => void } | undefined;
  #finished: { error?: unknown } | undefined;
  #wake = () => {};

  constructor(offset: number, end: number) {
    this.#position = offset;
    this.#end = end;
  }

  async expect(): Promise<void> {}

  async restart(): Promise<void> {}

  async write(bytes: Buffer, position: number): Promise<void> {
    const wanted = bytes.subarray(
      Math.max(0, this.#position - position),
      Math.max(0, this.#end - position),
    );
    if (wanted.length === 0 || this.#finished) return;
    this.#position = Math.max(this.#position, position) + wanted.length;
    await new Promise<void>((consumed) => {
      this.#offered = { bytes: wanted, consumed };
      this.#wake();
    });
  }

  /** Ends the iteration after the current bytes. */
  end(): void {
    this.#finished ??= {};
    this.#wake();
  }

  /** Ends the iteration with an error. */
  fail(error: unknown): void {
    this.#finished ??= { error };
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        if (this.#offered) {
          const { bytes, consumed } = this.#offered;
          this.#offered = undefined;
          try {
            yield bytes;
          } finally {
            consumed();
          }
        } else if (this.#finished) {
          if ("error" in this.#finished) throw this.#finished.error;
          return;
        } else await new Promise<void>((wake) => (this.#wake = wake));
      }
    } finally {
      // A reader that stops early must not leave a write waiting.
      this.#finished ??= {};
      this.#offered?.consumed();
    }
  }
}

import { closeSync, openSync, readFileSync, readSync, rmSync, writeSync } from "node:fs";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";

/** Numbers that a file buffers before it writes them. */
const buffered = 2048;

interface NumberFile {
  descriptor: number;
  /** Those that wait to be written are the first `count` of them. */
  numbers: Float64Array;
  count: number;
}

/** Does work on temporary files, whose disk is the host's and not that of a destination: STORAGE_FULL, STORAGE_FAILED. */
export function onTemporaryDisk<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw HostError.from(error);
  }
}

/** Appends numbers to several new files at once. Blocks. STORAGE_FULL, STORAGE_FAILED. */
export class NumberFiles {
  private readonly files: NumberFile[] = [];

  constructor(paths: readonly string[]) {
    try {
      for (const path of paths)
        this.files.push({
          descriptor: onTemporaryDisk(() => openSync(path, "w", 0o600)),
          numbers: new Float64Array(buffered),
          count: 0,
        });
    } catch (error) {
      this.closeAll(() => {});
      throw error;
    }
  }

  append(file: number, value: number): void {
    const one = this.files[file];
    if (one === undefined) throw new RangeError(`There is no file ${file}.`);
    one.numbers[one.count] = value;
    one.count += 1;
    if (one.count === buffered) this.flush(one);
  }

  /** Writes what is buffered, and closes all files. Throws the first error. */
  close(): void {
    this.closeAll((one) => this.flush(one));
  }

  private closeAll(before: (one: NumberFile) => void): void {
    const errors: unknown[] = [];
    for (const one of this.files.splice(0)) {
      try {
        before(one);
      } catch (error) {
        errors.push(error);
      } finally {
        closeSync(one.descriptor);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  private flush(one: NumberFile): void {
    const bytes = new Uint8Array(one.numbers.buffer, 0, one.count * 8);
    for (let at = 0; at < bytes.length;)
      at += onTemporaryDisk(() => writeSync(one.descriptor, bytes, at));
    one.count = 0;
  }
}

/** Returns the numbers of a file and removes it. */
export function readAndRemove(path: string): Float64Array {
  const bytes = onTemporaryDisk(() => readFileSync(path));
  rmSync(path);
  return numbersOf(bytes);
}

/** Yields the numbers of a file, some at a time, always in the same memory. */
export function* numbersIn(path: string): Generator<Float64Array> {
  const file = onTemporaryDisk(() => openSync(path, "r"));
  try {
    const bytes = new Uint8Array(limits.copyChunkBytes);
    for (;;) {
      let count = 0;
      for (let read = -1; read !== 0 && count < bytes.length; count += read)
        read = onTemporaryDisk(() => readSync(file, bytes, count, bytes.length - count, null));
      if (count === 0) return;
      yield new Float64Array(bytes.buffer, 0, count / 8);
    }
  } finally {
    closeSync(file);
  }
}

/** A copy, because numbers are aligned and bytes are not. */
function numbersOf(bytes: Uint8Array): Float64Array {
  const numbers = new Float64Array(bytes.length / 8);
  new Uint8Array(numbers.buffer).set(bytes);
  return numbers;
}

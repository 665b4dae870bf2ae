import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import { HostError } from "../errors.js";

/** Bytes of the nonce between the header and the first chunk of an age file. */
export const payloadNonceBytes = 16;

/** Plain bytes of a chunk. Only the last one may be shorter. */
const chunkBytes = 64 * 1024;
const tagBytes = 16;
/** Stored bytes of a complete chunk. */
const storedChunkBytes = chunkBytes + tagBytes;

const algorithm = "chacha20-poly1305";

/** A chunk of a stream. `bytes` are valid until the next chunk is requested. */
interface Chunk {
  bytes: Uint8Array;
  last: boolean;
}

/**
 * Regroups a stream into chunks of `size` bytes; the last one may be shorter. An empty stream is one
 * empty chunk. Copies only the bytes of chunks that span several buffers, so that the source must
 * not reuse its buffers.
 */
async function* regroup(source: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Chunk> {
  // A full chunk is kept until it is known whether it is the last one.
  let pending: Uint8Array = Buffer.alloc(0);
  let gathered: Buffer | undefined;
  for await (const bytes of source) {
    for (let position = 0; position < bytes.length;) {
      if (pending.length === size) {
        yield { bytes: pending, last: false };
        pending = pending.subarray(0, 0);
      }
      const end = Math.min(bytes.length, position + size - pending.length);
      if (pending.length === 0 && end - position === size) pending = bytes.subarray(position, end);
      else {
        gathered ??= Buffer.allocUnsafeSlow(size);
        gathered.set(bytes.subarray(position, end), pending.length);
        pending = gathered.subarray(0, pending.length + end - position);
      }
      position = end;
    }
  }
  yield { bytes: pending, last: true };
}

/** Regroups plain bytes into the chunks of a payload. */
export const plainChunks = (source: AsyncIterable<Uint8Array>): AsyncGenerator<Chunk> =>
  regroup(source, chunkBytes);

/** Regroups stored bytes into the chunks of a payload. */
export const storedChunks = (source: AsyncIterable<Uint8Array>): AsyncGenerator<Chunk> =>
  regroup(source, storedChunkBytes);

/** A range of the plain bytes of an age file. */
export interface PlainRange {
  /** Offset of the first byte. */
  start: number;
  /** Offset after the last byte. */
  end: number;
  /** Size of the age file. */
  storedBytes: number;
}

/** The chunks of a payload that contain a range of the plain bytes. */
export interface ChunkRange {
  /** Index of the first chunk. */
  first: number;
  /** Index after the last chunk. */
  end: number;
  /** Offset of the first chunk in the file. */
  storedStart: number;
  /** Offset after the last chunk in the file. */
  storedEnd: number;
  /** Offset of the range in the plain bytes of the first chunk. */
  skippedBytes: number;
  /** Number of chunks of the whole payload. */
  count: number;
}

/**
 * Returns the size of an age file.
 *
 * @param payloadOffset Bytes before the payload: the header and its nonce.
 * @param plainBytes Size of the plain data.
 */
export function encryptedSize(payloadOffset: number, plainBytes: number): number {
  return payloadOffset + plainBytes + chunkCount(plainBytes) * tagBytes;
}

const chunkCount = (plainBytes: number) => Math.max(1, Math.ceil(plainBytes / chunkBytes));

/**
 * Returns the size of the plain data of an age file. Throws BACKUP_DAMAGED if no age file has this
 * size.
 *
 * @param payloadOffset Bytes before the payload: the header and its nonce.
 * @param storedBytes Size of the file.
 * @param name Name of the file in errors.
 */
export function plainSize(payloadOffset: number, storedBytes: number, name = "a file"): number {
  const payloadBytes = storedBytes - payloadOffset;
  const plainBytes = payloadBytes - Math.ceil(payloadBytes / storedChunkBytes) * tagBytes;
  // The second is a last chunk without plain bytes, or with a part of its tag.
  if (payloadBytes < tagBytes || encryptedSize(payloadOffset, plainBytes) !== storedBytes)
    throw new HostError(
      "BACKUP_DAMAGED",
      `Cannot decrypt ${name}: no encrypted file has ${storedBytes} bytes. It is truncated, or bytes were added.`,
    );
  return plainBytes;
}

/**
 * Finds the chunks with the plain bytes in [start, end) of a file of `storedBytes`. Throws
 * BACKUP_DAMAGED for an impossible size, and RANGE_NOT_SATISFIABLE for a range outside of the data.
 */
export function chunkRange(
  payloadOffset: number,
  { start, end, storedBytes }: PlainRange,
  name: string,
): ChunkRange {
  const plainBytes = plainSize(payloadOffset, storedBytes, name);
  if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end)) || start < 0 || end < start)
    throw new HostError("RANGE_NOT_SATISFIABLE", `The range from ${start} to ${end} is invalid.`);
  if (end > plainBytes)
    throw new HostError(
      "RANGE_NOT_SATISFIABLE",
      `The range from ${start} to ${end} exceeds the ${plainBytes} bytes of ${name}.`,
    );
  const first = Math.floor(start / chunkBytes);
  // No chunk for an empty range.
  const after = start === end ? first : Math.ceil(end / chunkBytes);
  return {
    first,
    end: after,
    storedStart: payloadOffset + first * storedChunkBytes,
    storedEnd: Math.min(storedBytes, payloadOffset + after * storedChunkBytes),
    skippedBytes: start - first * chunkBytes,
    count: chunkCount(plainBytes),
  };
}

/** Key of the payload of one file. A number of a chunk may be used once for encryption. */
export class PayloadKey {
  #key: Buffer | undefined;
  /** The number of the chunk in 11 bytes, then 1 for the last chunk. */
  readonly #nonce = Buffer.alloc(12);

  /**
   * @param fileKey The key that the header of the file wraps.
   * @param nonce The bytes after the header, random for each file.
   */
  constructor(fileKey: Uint8Array, nonce: Uint8Array) {
    this.#key = Buffer.from(hkdfSync("sha256", fileKey, nonce, "payload", 32));
  }

  /** Encrypts a chunk. Returns its encrypted bytes and their tag. */
  seal(chunk: Chunk, index: number): [encrypted: Buffer, tag: Buffer] {
    const cipher = createCipheriv(algorithm, this.#use(), this.#nonceOf(index, chunk.last), {
      authTagLength: tagBytes,
    });
    const encrypted = cipher.update(chunk.bytes);
    cipher.final();
    return [encrypted, cipher.getAuthTag()];
  }

  /**
   * Decrypts a chunk. Throws BACKUP_DAMAGED for any chunk that the writer of the file has not stored
   * at this position.
   *
   * @param name Name of the file in errors.
   */
  open(chunk: Chunk, index: number, name: string): Buffer {
    const plain = this.#tryToOpen(chunk, index);
    if (plain === undefined)
      throw new HostError(
        "BACKUP_DAMAGED",
        `Cannot decrypt ${name}: ${this.#explain(chunk, index)}.`,
      );
    // The empty chunk is the payload of no data. After other chunks it would be a second encoding.
    if (plain.length === 0 && index > 0)
      throw new HostError("BACKUP_DAMAGED", `Cannot decrypt ${name}: its last chunk is empty.`);
    return plain;
  }

  /** Overwrites the key. A later use throws. */
  destroy(): void {
    this.#key?.fill(0);
    this.#key = undefined;
  }

  #tryToOpen({ bytes, last }: Chunk, index: number): Buffer | undefined {
    const size = bytes.length - tagBytes;
    if (size < 0) return undefined;
    const decipher = createDecipheriv(algorithm, this.#use(), this.#nonceOf(index, last), {
      authTagLength: tagBytes,
    });
    decipher.setAuthTag(bytes.subarray(size));
    const plain = decipher.update(bytes.subarray(0, size));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return plain;
  }

  #explain({ bytes, last }: Chunk, index: number): string {
    if (bytes.length < tagBytes) return "it is truncated";
    if (this.#tryToOpen({ bytes, last: !last }, index) === undefined)
      return `the chunk of ${bytes.length} bytes at payload position ${index * storedChunkBytes} was changed or belongs elsewhere`;
    return last
      ? `it is truncated after ${index + 1} chunks`
      : `it has further bytes after its last chunk, number ${index + 1}`;
  }

  #use(): Buffer {
    if (this.#key === undefined) throw new Error("The key of the payload was destroyed");
    return this.#key;
  }

  #nonceOf(index: number, last: boolean): Buffer {
    this.#nonce.writeUInt32BE(Math.floor(index / 2 ** 32), 3);
    this.#nonce.writeUInt32BE(index % 2 ** 32, 7);
    this.#nonce[11] = last ? 1 : 0;
    return this.#nonce;
  }
}

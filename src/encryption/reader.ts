import { HostError } from "../errors.js";
import { HeaderReader, type AgeHeader } from "./header.js";
import { noIdentity, type Identities } from "./identities.js";
import { chunkRange, PayloadKey, plainSize, storedChunks, type PlainRange } from "./payload.js";

/** Reads the bytes [offset, end) of an age file. */
export type ReadStored = (offset: number, end: number) => AsyncIterable<Uint8Array>;

/** Decrypts one age file, whose key it keeps in memory until it is closed. */
export class AgeReader {
  /** Name of the file in errors. */
  readonly name: string;
  readonly #prefix: Buffer;
  readonly #key: PayloadKey;

  /** @param prefix Header and nonce: all bytes before the payload. */
  constructor(name: string, prefix: Buffer, key: PayloadKey) {
    this.name = name;
    this.#prefix = prefix;
    this.#key = key;
  }

  /** Bytes before the payload: the header and its nonce. */
  get payloadOffset(): number {
    return this.#prefix.length;
  }

  /** Returns the size of the plain data of a file of `storedBytes`. BACKUP_DAMAGED if impossible. */
  plainSize(storedBytes: number): number {
    return plainSize(this.payloadOffset, storedBytes, this.name);
  }

  /**
   * Decrypts the complete file, from its first byte, to buffers of at most 64 KiB without copying
   * them; a writer of files should gather them. Yields only authentic data, but reports a truncated
   * file at its end. The source must not reuse its buffers. Throws BACKUP_DAMAGED for any other file
   * than the one that has this key.
   */
  async *decrypt(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
    let index = 0;
    for await (const chunk of storedChunks(this.#afterPrefix(chunks))) {
      const plain = this.#key.open(chunk, index, this.name);
      index += 1;
      if (plain.length > 0) yield plain;
    }
  }

  /**
   * Decrypts a range. Reads only the chunks of 64 KiB that contain it. Truncation is detected only
   * if the range includes the last byte. Throws BACKUP_DAMAGED, and RANGE_NOT_SATISFIABLE for a range
   * outside of the data.
   */
  async *decryptRange(range: PlainRange, read: ReadStored): AsyncGenerator<Buffer> {
    const { first, end, storedStart, storedEnd, skippedBytes, count } = chunkRange(
      this.payloadOffset,
      range,
      this.name,
    );
    if (first === end) return;
    const source = exactly(read(storedStart, storedEnd), storedEnd - storedStart, this.name);
    let index = first;
    let skip = skippedBytes;
    let left = range.end - range.start;
    for await (const { bytes } of storedChunks(source)) {
      const plain = this.#key.open({ bytes, last: index === count - 1 }, index, this.name);
      const part = plain.subarray(skip, skip + left);
      index += 1;
      skip = 0;
      left -= part.length;
      yield part;
    }
  }

  /** Overwrites the key. */
  close(): void {
    this.#key.destroy();
  }

  async *#afterPrefix(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const prefix = this.#prefix;
    let matched = 0;
    for await (const chunk of chunks) {
      const count = Math.min(prefix.length - matched, chunk.length);
      if (!prefix.subarray(matched, matched + count).equals(chunk.subarray(0, count)))
        throw new HostError(
          "BACKUP_DAMAGED",
          `Cannot decrypt ${this.name}: its header differs from the one it was written with.`,
        );
      matched += count;
      if (count < chunk.length) yield count === 0 ? chunk : chunk.subarray(count);
    }
    if (matched < prefix.length) throw new HeaderReader(this.name).truncated();
  }
}

/**
 * Opens an age file for reading.
 *
 * @param name Name of the file in errors.
 * @param start The first bytes of the file, at least up to the payload: limits.ageHeaderBytes and 16
 *   are always enough.
 * @param identities Undefined if none were given.
 *
 * Throws IDENTITY_MISSING if none decrypts it, BACKUP_DAMAGED if it is no age file or its header was
 * changed, FORMAT_TOO_NEW for another version of age.
 */
export async function openAge(
  name: string,
  start: Uint8Array,
  identities: Identities | undefined,
): Promise<AgeReader> {
  const reader = new HeaderReader(name);
  const header = reader.add(start);
  if (header === undefined) throw reader.truncated();
  return openHeader(name, header, identities);
}

/** Decrypts a complete age file. As openAge and AgeReader.decrypt do. */
export async function* decrypt(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
  identities: Identities | undefined,
): AsyncGenerator<Buffer> {
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    const read: Uint8Array[] = [];
    const headerReader = new HeaderReader(name);
    let header: AgeHeader | undefined;
    while (header === undefined) {
      const next = await iterator.next();
      if (next.done === true) throw headerReader.truncated();
      header = headerReader.add(next.value);
      read.push(next.value);
    }
    const reader = await openHeader(name, header, identities);
    try {
      yield* reader.decrypt(continued(read, iterator));
    } finally {
      reader.close();
    }
  } finally {
    await iterator.return?.();
  }
}

async function openHeader(
  name: string,
  header: AgeHeader,
  identities: Identities | undefined,
): Promise<AgeReader> {
  if (identities === undefined) throw noIdentity(header, name);
  const fileKey = await identities.unwrapFileKey(header, name);
  try {
    return new AgeReader(name, header.prefix, new PayloadKey(fileKey, header.nonce));
  } finally {
    fileKey.fill(0);
  }
}

/** Yields what was already read from an iterator, and then the rest of it. */
async function* continued(
  read: Uint8Array[],
  iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield* read.splice(0);
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
    yield next.value;
}

/** Passes a stream on. Throws BACKUP_DAMAGED if it has another size. */
async function* exactly(
  source: AsyncIterable<Uint8Array>,
  expectedBytes: number,
  name: string,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > expectedBytes) break;
    yield chunk;
  }
  if (bytes !== expectedBytes)
    throw new HostError(
      "BACKUP_DAMAGED",
      `Cannot decrypt ${name}: a read of ${expectedBytes} bytes returned ${bytes > expectedBytes ? "more" : `${bytes}`} bytes. The file changed while it was read.`,
    );
}

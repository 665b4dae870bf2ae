import { limits } from "../limits.js";

/** Says what is wrong with compressed data, without any of it. */
export class MalformedError extends Error {}

const magicNumber = 0xfd2fb528;
/** Magic number and descriptor, which tells the size of the rest of the header. */
const startBytes = 5;
const blockHeaderBytes = 3;
const checksumBytes = 4;
const rleBlock = 1;
const dictionaryBytes = [0, 1, 2, 4];
const blockBytesMax = 128 * 1024;

/**
 * Checks the structure of a zstd file ahead of its decoder (RFC 8878, section 3.1.1): one frame without
 * a dictionary, whose window is at most 2^limits.zstdWindowLog bytes, and nothing after it. Decoders
 * allocate the window of each frame before they decode anything, and the script decoder accepts blocks
 * of any size.
 */
export class ZstdFrame {
  /** Bytes of an incomplete header. */
  #held = Buffer.alloc(0);
  #windowBytes: number | undefined;
  #hasChecksum = false;
  /** Bytes of the current block, and of the checksum after the last one. */
  #skip = 0;
  #isLast = false;

  /** Checks the next bytes. Throws MalformedError. */
  add(chunk: Uint8Array): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, rest.length);
        this.#skip -= skipped;
        rest = rest.subarray(skipped);
        continue;
      }
      if (this.#isLast) throw new MalformedError("it has further bytes after its frame");
      const taken = Math.min(this.#headerBytes() - this.#held.length, rest.length);
      this.#held = Buffer.concat([this.#held, rest.subarray(0, taken)]);
      rest = rest.subarray(taken);
      if (this.#held.length < this.#headerBytes()) continue;
      if (this.#windowBytes === undefined) this.#readHeader(this.#held);
      else this.#readBlockHeader(this.#held, this.#windowBytes);
      this.#held = Buffer.alloc(0);
    }
  }

  /** Throws MalformedError unless the frame is complete. */
  end(): void {
    if (!this.#isLast || this.#skip > 0) throw new MalformedError("it is truncated");
  }

  /** Returns the size of the header that is being read, as far as it is known. */
  #headerBytes(): number {
    if (this.#windowBytes !== undefined) return blockHeaderBytes;
    if (this.#held.length < startBytes) return startBytes;
    const descriptor = this.#held[4] ?? 0;
    const windowBytes = isSingleSegment(descriptor) ? 0 : 1;
    return (
      startBytes +
      windowBytes +
      (dictionaryBytes[descriptor & 3] ?? 0) +
      contentSizeBytes(descriptor)
    );
  }

  #readHeader(header: Buffer): void {
    const descriptor = header[4] ?? 0;
    if (header.readUInt32LE(0) !== magicNumber)
      throw new MalformedError("it does not start with a frame");
    if ((descriptor & 8) !== 0) throw new MalformedError("its header has an unknown bit");
    if ((descriptor & 3) !== 0) throw new MalformedError("it needs a dictionary");
    const windowBytes = windowOf(header, descriptor);
    if (windowBytes > 2 ** limits.zstdWindowLog)
      throw new MalformedError(`its window of ${windowBytes} bytes exceeds the limit`);
    this.#windowBytes = windowBytes;
    this.#hasChecksum = (descriptor & 4) !== 0;
  }

  #readBlockHeader(header: Buffer, windowBytes: number): void {
    const bits = header.readUIntLE(0, blockHeaderBytes);
    const sizeBytes = bits >> 3;
    // For a repeated byte, the size is that of the output.
    if (sizeBytes > Math.min(blockBytesMax, windowBytes))
      throw new MalformedError(`its block of ${sizeBytes} bytes exceeds the limit`);
    this.#isLast = (bits & 1) === 1;
    this.#skip = ((bits >> 1) & 3) === rleBlock ? 1 : sizeBytes;
    if (this.#isLast && this.#hasChecksum) this.#skip += checksumBytes;
  }
}

const isSingleSegment = (descriptor: number) => (descriptor & 0x20) !== 0;

function contentSizeBytes(descriptor: number): number {
  const code = descriptor >> 6;
  if (code === 0) return isSingleSegment(descriptor) ? 1 : 0;
  return 2 ** code;
}

/** A single segment is its own window. */
function windowOf(header: Buffer, descriptor: number): number {
  if (!isSingleSegment(descriptor)) {
    const code = header[startBytes] ?? 0;
    const base = 2 ** (10 + (code >> 3));
    return base + (base / 8) * (code & 7);
  }
  switch (contentSizeBytes(descriptor)) {
    case 1:
      return header[startBytes] ?? 0;
    case 2:
      return header.readUInt16LE(startBytes) + 256;
    case 4:
      return header.readUInt32LE(startBytes);
    default:
      return Number(header.readBigUInt64LE(startBytes));
  }
}

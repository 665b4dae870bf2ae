import { Readable, pipeline, type Transform } from "node:stream";
import * as zlib from "node:zlib";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import type { Compression } from "../segment/format.js";
import { summed } from "./content-sum.js";
import { deflateBlocks } from "./deflate-blocks.js";
import { MalformedError, ZstdFrame } from "./zstd-frame.js";

/** The parts of node:zlib that only newer versions of Node have. */
interface ZstdLibrary {
  createZstdCompress?(options: { params: Record<number, number> }): Transform;
  createZstdDecompress?(options: { params: Record<number, number> }): Transform;
  constants: { ZSTD_c_compressionLevel?: number; ZSTD_d_windowLogMax?: number };
}

const { createZstdCompress, createZstdDecompress, constants } = zlib as unknown as ZstdLibrary;

/** Whether this version of Node writes zstd: 22.15 and later, or 23.8 and later. Every version reads it. */
export const canWriteZstd = createZstdCompress !== undefined;

/** Compression of segments where none is chosen: the best that this version of Node has. */
export const bestCompression: Compression = canWriteZstd ? "zstd" : "gzip";

/** Throws NOT_SUPPORTED for zstd on a version of Node without it. */
export function requireCompression(kind: Compression): void {
  if (kind === "zstd" && !canWriteZstd) throw withoutZstd();
}

const withoutZstd = () =>
  new HostError(
    "NOT_SUPPORTED",
    `Node ${process.versions.node} cannot compress with zstd. Use Node 22.15 or later, or gzip.`,
    { metadata: { field: "compression" } },
  );

/** Compresses a stream. Throws NOT_SUPPORTED for zstd on a version of Node without it. */
export function compress(
  kind: Compression,
  chunks: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  switch (kind) {
    case "none":
      return chunks;
    case "gzip":
      return gzip(chunks);
    case "zstd": {
      if (!createZstdCompress) throw withoutZstd();
      const level = constants.ZSTD_c_compressionLevel ?? 100;
      return through(chunks, createZstdCompress({ params: { [level]: zstdLevel } }));
    }
  }
}

/** Compresses to one member of gzip (RFC 1952) on several cores. */
async function* gzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const sum = { crc: 0, sizeBytes: 0 };
  yield gzipHeader;
  yield* deflateBlocks(summed(chunks, sum));
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(sum.crc, 0);
  trailer.writeUInt32LE(sum.sizeBytes % 2 ** 32, 4);
  yield trailer;
}

/** Deflate without a name and a time, compressed for speed, by an unknown system. */
const gzipHeader = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]);

/** As fast as the disk, and a tenth smaller than level 1 (measured). */
const zstdLevel = 3;

/**
 * Decompresses a stream of untrusted bytes, to at most `maxBytes`. Throws BACKUP_DAMAGED for invalid
 * data, more data, data after the end, or a zstd window beyond limits.zstdWindowLog. `name` names the
 * file in messages.
 */
export async function* decompress(
  kind: Compression,
  chunks: AsyncIterable<Uint8Array>,
  { maxBytes, name }: { maxBytes: number; name: string },
): AsyncGenerator<Uint8Array> {
  const damaged = (problem: string, cause?: unknown) =>
    new HostError("BACKUP_DAMAGED", `${name} is damaged: ${problem}. Use another backup.`, {
      metadata: { file: name },
      cause,
    });
  let sizeBytes = 0;
  try {
    for await (const chunk of decompressed(kind, chunks, maxBytes)) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) throw damaged(`it unpacks to more than ${maxBytes} bytes`);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof HostError) throw error;
    if (error instanceof MalformedError) throw damaged(error.message);
    throw damaged("it cannot be decompressed", error);
  }
}

function decompressed(
  kind: Compression,
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncIterable<Uint8Array> {
  switch (kind) {
    case "none":
      return chunks;
    case "gzip":
      return gunzip(chunks);
    case "zstd": {
      const bounded = withCheckedFrame(chunks);
      if (!createZstdDecompress) return decompressInScript(bounded, maxBytes);
      const window = constants.ZSTD_d_windowLogMax ?? 100;
      return through(bounded, createZstdDecompress({ params: { [window]: limits.zstdWindowLog } }));
    }
  }
}

/** Passes a stream through a transform, with back-pressure. */
async function* through(
  chunks: AsyncIterable<Uint8Array>,
  transform: Transform,
): AsyncGenerator<Uint8Array> {
  const source = Readable.from(chunks, { objectMode: false });
  // The error of the source or of the transform is the one that the iteration throws.
  pipeline(source, transform, () => {});
  try {
    for await (const chunk of transform as AsyncIterable<Uint8Array>) yield chunk;
  } finally {
    source.destroy();
    transform.destroy();
  }
}

/** Checks the structure of a zstd file before a decoder sees it. */
async function* withCheckedFrame(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const frame = new ZstdFrame();
  for await (const chunk of chunks) {
    frame.add(chunk);
    yield chunk;
  }
  frame.end();
}

/** Decompresses gzip, and throws for bytes after its end, which node:zlib ignores. */
async function* gunzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const transform = zlib.createGunzip({ chunkSize: limits.copyChunkBytes });
  let sizeBytes = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      sizeBytes += chunk.length;
      yield chunk;
    }
  }
  yield* through(counted(), transform);
  if (sizeBytes !== transform.bytesWritten)
    throw new MalformedError("it has further bytes after its end");
}

/** Decompresses zstd without help of Node, at about 200 MB/s. */
async function* decompressInScript(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  const { Decompress } = await import("fzstd");
  let output: Uint8Array[] = [];
  let sizeBytes = 0;
  const decoder = new Decompress((chunk) => {
    sizeBytes += chunk.length;
    // Thrown out of push, before more output is collected.
    if (sizeBytes > maxBytes) throw new MalformedError(`it unpacks to more than ${maxBytes} bytes`);
    output.push(chunk);
  });
  for await (const chunk of chunks) {
    // A few bytes can stand for a block of 128 KiB, so that small pieces bound the collected output.
    for (let at = 0; at < chunk.length; at += limits.zstdPieceBytes) {
      decoder.push(chunk.subarray(at, at + limits.zstdPieceBytes));
      yield* output;
      output = [];
    }
  }
  decoder.push(new Uint8Array(0), true);
  yield* output;
}

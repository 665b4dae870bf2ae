import { once } from "node:events";
import { Readable } from "node:stream";
import { Archiver, type ModuleEntry } from "archiver";
import { ZipArchiveEntry, ZipArchiveOutputStream } from "compress-commons";
import { summed, type ContentSum } from "../encoding/content-sum.js";
import { deflateBlocks } from "../encoding/deflate-blocks.js";

const stored = 0;
/** Version 2.0 of the format, which has data descriptors. */
const versionNeeded = 20;

/** An entry of a new archive. */
export interface NewEntry {
  name: string;
  bytes: AsyncIterable<Uint8Array> | Buffer;
}

/** Options of packZip. */
export interface PackOptions {
  /** Stores the entries without compressing them. */
  store: boolean;
  /** The time of all entries, in milliseconds since 1970. */
  modifiedMs: number;
}

/**
 * Packs entries into a ZIP archive, using several cores. Equal entries give equal archives, because
 * their order, time, mode and blocks are fixed. Throws the errors of the sources.
 */
export async function* packZip(
  entries: readonly NewEntry[],
  { store, modifiedMs }: PackOptions,
): AsyncGenerator<Uint8Array> {
  const archive = new BlockArchive();
  let source: Readable | Buffer | undefined;
  async function append({ name, bytes }: NewEntry): Promise<void> {
    source = Buffer.isBuffer(bytes) ? bytes : Readable.from(bytes, { highWaterMark: 1 });
    // archiver does not handle errors of its sources, and an unhandled error would end the process.
    if (!Buffer.isBuffer(source)) source.on("error", (error) => archive.destroy(error));
    const appended = once(archive, "entry");
    archive.append(source, { name, date: new Date(modifiedMs), mode: 0o644, store });
    await appended;
  }
  async function appendAll(): Promise<void> {
    // One after the other, because archiver begins to read what it is given.
    for (const entry of entries) await append(entry);
    await archive.finalize();
  }
  // The stream throws the same errors.
  appendAll().catch(() => {});
  try {
    yield* archive as AsyncIterable<Uint8Array>;
  } finally {
    // archiver reads its sources through streams of its own, whose end does not close them.
    if (source && !Buffer.isBuffer(source)) source.destroy();
  }
}

/** A format of archiver: ZIP, whose entries are compressed by BlockZip. */
class BlockArchive extends Archiver {
  readonly #zip = new BlockZip({ zlib: { level: 1 } });

  constructor() {
    super();
    this._format = "zip";
    this._module = {
      append: (source, data, appended) => this.#zip.entry(entryOf(data), source, appended),
      finalize: () => this.#zip.finish(),
      on: (event, listener) => this.#zip.on(event, listener),
      pipe: (target) => this.#zip.pipe(target),
      unpipe: (target) => this.#zip.unpipe(target),
    };
    this._modulePipe();
    // Closes the sources if the archive is abandoned.
    this.once("close", () => this.#zip.destroy());
  }
}

function entryOf({ name, date, mode, store }: ModuleEntry): ZipArchiveEntry {
  const entry = new ZipArchiveEntry(name);
  entry.setTime(new Date(date));
  entry.setUnixMode(mode);
  if (store) entry.setMethod(stored);
  return entry;
}

/**
 * Compresses the blocks of an entry in parallel, instead of the whole entry in one stream. Checksum
 * and packed size are known only after the data, so they follow it.
 */
class BlockZip extends ZipArchiveOutputStream {
  protected override _appendStream(
    entry: ZipArchiveEntry,
    source: Readable,
    appended: (error: Error | null) => void,
  ): void {
    entry.getGeneralPurposeBit().useDataDescriptor(true);
    entry.setVersionNeededToExtract(versionNeeded);
    this._writeLocalFileHeader(entry);
    const total = { crc: 0, sizeBytes: 0, packedBytes: 0 };
    const packed = Readable.from(pack(source, entry.getMethod() !== stored, total), {
      highWaterMark: 1,
    });
    // Closes the source if the archive is abandoned.
    const abandon = () => packed.destroy();
    this.once("close", abandon);
    packed.once("close", () => this.off("close", abandon));
    packed.once("error", appended);
    packed.once("end", () => {
      entry.setCrc(total.crc);
      entry.setSize(total.sizeBytes);
      entry.setCompressedSize(total.packedBytes);
      this._afterAppend(entry);
      appended(null);
    });
    packed.pipe(this, { end: false });
  }
}

/** Checksum and sizes of an entry. */
interface Total extends ContentSum {
  packedBytes: number;
}

/** Returns the data of an entry as it is in the archive, and updates its total. */
async function* pack(
  source: AsyncIterable<Uint8Array>,
  compress: boolean,
  total: Total,
): AsyncGenerator<Uint8Array> {
  const content = summed(source, total);
  for await (const chunk of compress ? deflateBlocks(content) : content) {
    total.packedBytes += chunk.length;
    yield chunk;
  }
}

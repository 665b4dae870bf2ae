/** The part of compress-commons, the ZIP writer of archiver, that pack-zip.ts uses. It has no types. */
declare module "compress-commons" {
  import type { Readable, Transform } from "node:stream";

  /** An entry and the fields of its headers. */
  export class ZipArchiveEntry {
    constructor(name: string);
    setTime(time: Date): void;
    setUnixMode(mode: number): void;
    getMethod(): number;
    setMethod(method: number): void;
    setVersionNeededToExtract(version: number): void;
    setCrc(crc: number): void;
    setSize(sizeBytes: number): void;
    setCompressedSize(sizeBytes: number): void;
    getGeneralPurposeBit(): { useDataDescriptor(use: boolean): void };
  }

  type Appended = (error: Error | null) => void;

  /** The bytes of an archive. Methods with an underscore are for subclasses. */
  export class ZipArchiveOutputStream extends Transform {
    constructor(options?: { zlib?: { level?: number } });
    /** Appends an entry after the previous one has been appended. */
    entry(entry: ZipArchiveEntry, source: Readable | Buffer, appended: Appended): void;
    /** Writes the directory and ends the stream. */
    finish(): void;
    /** Writes an entry of unknown size. */
    protected _appendStream(entry: ZipArchiveEntry, source: Readable, appended: Appended): void;
    protected _writeLocalFileHeader(entry: ZipArchiveEntry): void;
    /** Writes checksum and sizes after the data of an entry, and adds it to the directory. */
    protected _afterAppend(entry: ZipArchiveEntry): void;
  }
}

import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32, createInflateRaw } from "node:zlib";
import type { CentralDirectory, File as ZipEntry } from "unzipper";
import { HostError } from "../errors.js";
import { fileBytesOf, type Segment } from "../segment/manifest.js";
import { isSegmentName, parseManifestName } from "../segment/format.js";
import { fromFileError } from "../io/file-error.js";
import { errnoOf, type OpenFile } from "../io/file-system.js";
import { readOpenRange } from "../io/read-file.js";
import { limits } from "../limits.js";
import type { ContainerReader, ManifestTrust } from "./container.js";
import { isXenonFile, readManifests, xenonBackup } from "./manifests.js";
import { runZip } from "./zip-call.js";
import { beginsZip } from "./zip-check.js";
import { bytesAt, findDirectory } from "./zip-directory.js";

/** Manifests and segments of an archive: twice limits.manifestsPerDestination. */
const maxEntries = 20_000;
/** An archive from Unix has the mode of the file in the upper half of the attributes. */
const isLink = (entry: ZipEntry) => ((entry.externalFileAttributes >>> 16) & 0o170000) === 0o120000;

const foreign = (path: string, problem: string, cause?: unknown) =>
  new HostError("BACKUP_FOREIGN", `${path} is not a backup of Holdfast: ${problem}.`, {
    metadata: { path },
    cause,
  });

/** Rejects paths out of the archive, links and duplicate names before any entry is read. */
function checkEntries(path: string, entries: ZipEntry[]): void {
  if (entries.length > maxEntries)
    throw foreign(path, `its ${entries.length} entries exceed the limit of ${maxEntries}`);
  const names = new Set<string>();
  for (const entry of entries) {
    const name = normalized(entry.path);
    if (
      name.startsWith("/") ||
      /^[A-Za-z]:/.test(name) ||
      name.includes("\0") ||
      name.split("/").includes("..")
    ) {
      throw foreign(path, `its entry ${JSON.stringify(name)} leads out of the archive`);
    }
    if (isLink(entry)) throw foreign(path, `its entry ${JSON.stringify(name)} is a link`);
    if (names.has(name)) throw foreign(path, `its entry ${JSON.stringify(name)} is a duplicate`);
    names.add(name);
  }
}

/** Reads an entry and checks its size and CRC at the end. */
async function* entryBytes(
  file: OpenFile,
  path: string,
  entry: ZipEntry,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const damaged = (problem: string, cause?: unknown) =>
    new HostError(
      "BACKUP_DAMAGED",
      `The archive ${path} is damaged: its entry ${entry.path} ${problem}. Use another backup.`,
      { cause },
    );
  let crc = 0;
  let size = 0;
  try {
    const packed = packedBytes(file, path, entry, signal);
    for await (const chunk of entry.compressionMethod === stored ? packed : inflate(packed)) {
      signal.throwIfAborted();
      crc = crc32(chunk, crc);
      size += chunk.length;
      if (size > entry.uncompressedSize) throw damaged("unpacks to more than its size");
      yield chunk;
    }
  } catch (thrown) {
    if (signal.aborted) throw signal.reason;
    const error = fromFileError(thrown, `Reading the archive ${path}`);
    throw error instanceof HostError ? error : damaged("cannot be unpacked", error);
  }
  if (size !== entry.uncompressedSize)
    throw damaged(`unpacks to ${size} bytes, not ${entry.uncompressedSize}`);
  if (crc >>> 0 !== entry.crc32 >>> 0) throw damaged("does not match its checksum");
}

async function* packedBytes(
  file: OpenFile,
  path: string,
  { offsetToLocalFileHeader, compressedSize }: ZipEntry,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const header = await bytesAt(file, path, offsetToLocalFileHeader, 30);
  const offset =
    offsetToLocalFileHeader + header.length + header.readUInt16LE(26) + header.readUInt16LE(28);
  const chunkBytes = limits.archiveReadBytes;
  yield* readOpenRange(file, path, { offset, end: offset + compressedSize, chunkBytes }, signal);
}

/** Unpacks in large chunks: with the streams of unzipper, reading takes twice as long. */
async function* inflate(packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const inflated = createInflateRaw({ chunkSize: limits.inflatedChunkBytes });
  // A failure destroys the stream, which then throws it. What follows the deflated data is ignored.
  pipeline(Readable.from(packed, { highWaterMark: 1 }), inflated).catch(() => {});
  try {
    yield* inflated as AsyncIterable<Buffer>;
  } finally {
    inflated.destroy();
  }
}

type SizedEntry = Pick<Segment, "name" | "sizeBytes" | "stored">;

/** Reads a backup in a ZIP archive. */
export interface ZipReader extends ContainerReader {
  /** Names of the files in the folder of the manifests. */
  readonly names: readonly string[];
  /** Paths of the files in other folders. */
  readonly otherEntries: readonly string[];
  /** Reads an entry and checks its size and CRC at the end. */
  bytesOf(entry: SizedEntry, signal: AbortSignal): AsyncIterable<Buffer>;
  /** Verifies size, CRC and SHA-256 of an entry. Throws BACKUP_DAMAGED. */
  readBack(
    entry: SizedEntry & Pick<Segment, "sha256">,
    through: (bytes: AsyncIterable<Buffer>) => AsyncIterable<Buffer>,
  ): Promise<void>;
}

/**
 * Reads an open file from an offset. Passes an error to `onFailure` and ends, because unzipper does
 * not handle all errors of a stream.
 */
async function* bytesFrom(
  file: OpenFile,
  offset: number,
  onFailure: (error: unknown) => void,
): AsyncGenerator<Buffer> {
  try {
    for (let position = offset; ;) {
      const buffer = Buffer.allocUnsafe(limits.archiveReadBytes);
      const count = await file.read(buffer, position);
      if (count === 0) return;
      yield buffer.subarray(0, count);
      position += count;
    }
  } catch (error) {
    onFailure(error);
  }
}

/**
 * Opens a ZIP archive that contains a backup at the top level or in one folder. `open` opens the file
 * at `path`, which stays open until `close`. Throws BACKUP_DAMAGED, BACKUP_FOREIGN if the archive
 * contains no backup, and BACKUP_FROM_XENON for a backup of Xenon.
 */
export async function openZipReader(
  path: string,
  open: () => Promise<OpenFile>,
  trust?: ManifestTrust,
): Promise<ZipReader> {
  const file = await open().catch((error: unknown) => {
    throw fromFileError(error, `Reading the archive ${path}`);
  });
  try {
    return await readArchive(file, path, trust);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The types of unzipper lack the options. */
type CustomOpen = (
  source: { size(): Promise<number>; stream(offset: number): Readable },
  options: { tailSize: number },
) => Promise<CentralDirectory>;

/**
 * Checks the number of entries before objects are created for them. Throws BACKUP_FOREIGN. Returns
 * the location of the end record.
 */
async function boundDirectory(
  file: OpenFile,
  path: string,
): Promise<{ start: number; length: number }> {
  const { count, sizeBytes, end } = await findDirectory(file, path);
  if (count > maxEntries || sizeBytes > limits.zipDirectoryBytes)
    throw foreign(
      path,
      `its ${count} entries or its directory of ${sizeBytes} bytes exceed the limit`,
    );
  return end;
}

/**
 * Throws BACKUP_FOREIGN for an entry that only other programs can read. unzipper would report it as
 * damaged.
 */
function requireReadable(path: string, { path: name, flags, compressionMethod }: ZipEntry): void {
  const problem =
    (flags & encryptedFlag) !== 0
      ? "is encrypted"
      : compressionMethod !== stored && compressionMethod !== deflated
        ? `is compressed by method ${compressionMethod}${otherMethods[compressionMethod] ?? ""}`
        : undefined;
  if (problem === undefined) return;
  throw new HostError(
    "BACKUP_FOREIGN",
    `Cannot read ${path}: its entry ${name} ${problem}. Unpack the archive with the program that created it, and use the directory instead.`,
    { metadata: { path } },
  );
}

const encryptedFlag = 1;
const stored = 0;
const deflated = 8;
const otherMethods: Record<number, string> = {
  9: " (Deflate64)",
  12: " (bzip2)",
  14: " (LZMA)",
  93: " (Zstandard)",
  95: " (xz)",
  99: " (AES)",
};

/** Some Windows programs write backslashes. */
const normalized = (name: string) => name.replaceAll("\\", "/");

async function readArchive(
  file: OpenFile,
  path: string,
  trust: ManifestTrust | undefined,
): Promise<ZipReader> {
  let archive: CentralDirectory;
  let failure: unknown;
  const source = {
    size: () => file.size(),
    stream: (offset: number) =>
      Readable.from(
        bytesFrom(file, offset, (error) => (failure = error)),
        { objectMode: false },
      ),
  };
  try {
    const begin = await magicOf(file);
    if (begin !== "PK") throw new Error("no ZIP signature");
    const end = await boundDirectory(file, path);
    // Loaded on demand, because commands on directories start much faster without it.
    const { Open } = await import("unzipper");
    // unzipper searches for the end record from the given size, so a comment, padding or bytes of a
    // segment cannot mislead it.
    archive = await (Open.custom as CustomOpen)(
      { ...source, size: async () => end.start + end.length },
      { tailSize: end.length },
    );
  } catch (cause) {
    if (cause instanceof HostError && cause.reason === "BACKUP_FOREIGN") throw cause;
    const thrown = failure ?? cause;
    // A destination that cannot be read says nothing about the archive.
    if (thrown instanceof HostError && !thrown.reason.startsWith("BACKUP_")) throw thrown;
    if (!(thrown instanceof HostError) && errnoOf(thrown) !== undefined)
      throw fromFileError(thrown, `Reading the archive ${path}`);
    if (await startsWithBackupEntry(file))
      throw new HostError(
        "BACKUP_DAMAGED",
        `The archive ${path} is damaged: it was cut off (its end is missing). Use another backup.`,
        { metadata: { path }, cause },
      );
    throw foreign(path, "it is not a ZIP archive, or its end is missing", cause);
  }
  checkEntries(path, archive.files);
  const entries = archive.files
    .filter((entry) => entry.type === "File")
    .map((entry) => Object.assign(entry, { path: normalized(entry.path) }));
  const folders = new Set(
    entries
      .filter((entry) => parseManifestName(baseName(entry.path)) !== undefined)
      .map((entry) => entry.path.slice(0, -baseName(entry.path).length)),
  );
  if (folders.size === 0) {
    if (entries.some((entry) => isXenonFile(baseName(entry.path)))) throw xenonBackup(path);
    throw foreign(path, "it contains no manifest");
  }
  const [folder = ""] = folders;
  if (folders.size > 1)
    throw foreign(
      path,
      `its manifests are in several folders: ${[...folders]
        .slice(0, 3)
        .map((one) => JSON.stringify(one))
        .join(", ")}. Unpack it, and use one of the directories`,
    );
  const byName = new Map(
    entries
      .filter((entry) => entry.path.startsWith(folder))
      .map((entry) => [entry.path.slice(folder.length), entry]),
  );
  for (const [name, entry] of byName)
    if (isSegmentName(name) || parseManifestName(name) !== undefined) requireReadable(path, entry);

  const entryOf = (name: string): ZipEntry => {
    const entry = byName.get(name);
    if (!entry)
      throw new HostError(
        "BACKUP_DAMAGED",
        `The archive ${path} is damaged: the file ${name} in its manifest is missing. Use another backup.`,
      );
    return entry;
  };
  const checkSize = (segment: SizedEntry): ZipEntry => {
    const sizeBytes = fileBytesOf(segment);
    const entry = entryOf(segment.name);
    if (entry.uncompressedSize === sizeBytes) return entry;
    throw new HostError(
      "BACKUP_DAMAGED",
      `The archive ${path} is damaged: ${segment.name} has ${entry.uncompressedSize} bytes, not ${sizeBytes}. Use another backup.`,
    );
  };

  async function readManifest(name: string, signal: AbortSignal): Promise<Buffer> {
    const entry = entryOf(name);
    if (entry.uncompressedSize > limits.manifestBytes)
      throw new HostError(
        "BACKUP_DAMAGED",
        `The manifest ${name} in ${path} exceeds the limit of ${limits.manifestBytes} bytes.`,
      );
    const chunks: Buffer[] = [];
    for await (const chunk of entryBytes(file, path, entry, signal)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  return {
    kind: "ZIP",
    displayName: path,
    names: [...byName.keys()],
    otherEntries: entries
      .filter((entry) => !entry.path.startsWith(folder))
      .map((entry) => entry.path),
    manifests: (signal) =>
      readManifests([...byName.keys()], (name) => readManifest(name, signal), signal, trust),
    async sizesOf(wanted) {
      const sizes = new Map<string, number>();
      for (const name of wanted) {
        const entry = byName.get(name);
        if (entry) sizes.set(name, entry.uncompressedSize);
      }
      return sizes;
    },
    async fetch(wanted, signal, onBytes) {
      const segments = wanted.map(({ segment, path: target }) => {
        checkSize(segment);
        return { name: segment.name, sizeBytes: fileBytesOf(segment), target };
      });
      await runZip({ kind: "extract", path, segments }, signal, onBytes);
    },
    bytesOf: (entry, signal) => entryBytes(file, path, checkSize(entry), signal),
    async readBack(entry, through) {
      const hash = createHash("sha256");
      for await (const chunk of through(
        entryBytes(file, path, checkSize(entry), new AbortController().signal),
      ))
        hash.update(chunk);
      if (hash.digest("hex") !== entry.sha256) {
        throw new HostError(
          "BACKUP_DAMAGED",
          `Verification of ${entry.name} in ${path} failed: its contents differ from those written. Check the disk.`,
        );
      }
    },
    close: () => file.close(),
  };
}

const baseName = (path: string) => path.slice(path.lastIndexOf("/") + 1);

/** Returns the first two bytes of a file. */
async function magicOf(file: OpenFile): Promise<string> {
  const begin = Buffer.alloc(2);
  return begin.subarray(0, await file.read(begin, 0)).toString("latin1");
}

/** Whether the first entry of a partial archive has a name that only backups contain. */
async function startsWithBackupEntry(file: OpenFile): Promise<boolean> {
  const header = Buffer.alloc(30 + 256);
  const bytes = header.subarray(0, await file.read(header, 0));
  if (bytes.length <= 30 || !beginsZip(bytes.subarray(0, 4))) return false;
  const name = baseName(bytes.subarray(30, 30 + bytes.readUInt16LE(26)).toString("utf8"));
  return isSegmentName(name) || parseManifestName(name) !== undefined;
}

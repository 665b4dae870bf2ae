import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { Readable } from "node:stream";
import type { CentralDirectory, File as ZipEntry } from "unzipper";
import { HostError } from "../errors.js";
import type { Segment } from "../segment/manifest.js";
import { isSegmentName, parseManifestName } from "../segment/format.js";
import { fromFileError } from "../io/file-error.js";
import { errnoOf, type OpenFile } from "../io/file-system.js";
import { limits } from "../limits.js";
import type { ContainerReader } from "./container.js";
import { isXenonFile, readManifests, xenonBackup } from "./manifests.js";
import { runZip } from "./zip-call.js";
import { beginsZip } from "./zip-check.js";
import { findDirectory } from "./zip-directory.js";

/** A segment of each of the most manifests that a destination may have. */
const entriesAtMost = 20_000;
/** In a ZIP made on Unix the upper half of the attributes is the file's mode. */
const isLink = (entry: ZipEntry) => ((entry.externalFileAttributes >>> 16) & 0o170000) === 0o120000;

const foreign = (path: string, problem: string, cause?: unknown) =>
  new HostError("BACKUP_FOREIGN", `${path} is no backup of Holdfast: ${problem}.`, {
    metadata: { path },
    cause,
  });

/** Names that would lead out of a directory, links and doubles are refused before anything is read. */
function checkEntries(path: string, entries: ZipEntry[]): void {
  if (entries.length > entriesAtMost) throw foreign(path, `it has ${entries.length} entries`);
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
    if (names.has(name)) throw foreign(path, `its entry ${JSON.stringify(name)} is there twice`);
    names.add(name);
  }
}

/** The bytes of an entry as they come; after the last one size and crc32 must agree, which unzipper does not look at. */
async function* entryBytes(
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
  const stream = entry.stream();
  let crc = 0;
  let size = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      signal.throwIfAborted();
      crc = crc32(chunk, crc);
      size += chunk.length;
      if (size > entry.uncompressedSize) throw damaged("unpacks to more than its size");
      yield chunk;
    }
  } catch (error) {
    if (error instanceof HostError) throw error;
    if (signal.aborted) throw signal.reason;
    throw damaged("cannot be unpacked", error);
  } finally {
    stream.destroy();
  }
  if (size !== entry.uncompressedSize)
    throw damaged(`unpacks to ${size} bytes, not ${entry.uncompressedSize}`);
  if (crc >>> 0 !== entry.crc32 >>> 0) throw damaged("does not agree with its checksum");
}

type SizedEntry = Pick<Segment, "name" | "sizeBytes">;

export interface ZipReader extends ContainerReader {
  /** Of the files in the folder of the manifests, and of all other entries that hold something. */
  readonly names: readonly string[];
  readonly otherEntries: readonly string[];
  /** The bytes of an entry; after the last one its size and crc32 have been checked. */
  bytesOf(entry: SizedEntry, signal: AbortSignal): AsyncIterable<Buffer>;
  /** Reads an entry through: its size, crc32 and sha256 must be the ones given. */
  readBack(
    entry: SizedEntry & Pick<Segment, "sha256">,
    through: (bytes: AsyncIterable<Buffer>) => AsyncIterable<Buffer>,
  ): Promise<void>;
}

/** The bytes of an open file from an offset on. A failure ends them: unzipper does not listen for errors everywhere. */
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
 * Opens a ZIP that holds a backup, at its top or in one folder. `open` opens the file at `path`, which
 * stays open until `close`, whatever becomes of its name. BACKUP_FOREIGN or BACKUP_FROM_XENON if it
 * holds none.
 */
export async function openZipReader(
  path: string,
  open: () => Promise<OpenFile>,
): Promise<ZipReader> {
  const file = await open().catch((error: unknown) => {
    throw fromFileError(error, `Reading the archive ${path}`);
  });
  try {
    return await readArchive(file, path);
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Its types lack the options. */
type CustomOpen = (
  source: { size(): Promise<number>; stream(offset: number): Readable },
  options: { tailSize: number },
) => Promise<CentralDirectory>;

/** Before an object is made of each entry: BACKUP_FOREIGN where they are more than any backup has. Returns where the archive's last record lies. */
async function boundDirectory(
  file: OpenFile,
  path: string,
): Promise<{ start: number; length: number }> {
  const { count, sizeBytes, end } = await findDirectory(file, path);
  if (count > entriesAtMost || sizeBytes > limits.zipDirectoryBytes)
    throw foreign(path, `it has ${count} entries, and a directory of ${sizeBytes} bytes`);
  return end;
}

/** What unzipper would call damaged, though it is whole: packed in a way that only other tools read. */
function requireReadable(path: string, { path: name, flags, compressionMethod }: ZipEntry): void {
  const problem =
    (flags & encryptedFlag) !== 0
      ? "is encrypted"
      : compressionMethod !== stored && compressionMethod !== deflated
        ? `is packed by method ${compressionMethod}${otherMethods[compressionMethod] ?? ""}`
        : undefined;
  if (problem === undefined) return;
  throw new HostError(
    "BACKUP_FOREIGN",
    `Cannot read ${path}: its entry ${name} ${problem}. Unpack the archive with the tool that made it, and name the directory instead.`,
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

/** Some tools of Windows write backslashes. */
const normalized = (name: string) => name.replaceAll("\\", "/");

async function readArchive(file: OpenFile, path: string): Promise<ZipReader> {
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
    // Loaded when it is needed: a command that looks at a directory starts much faster without it.
    const { Open } = await import("unzipper");
    // It looks for the last record itself, from the end that it is told: neither a long comment nor padding nor bytes of a segment mislead it.
    archive = await (Open.custom as CustomOpen)(
      { ...source, size: async () => end.start + end.length },
      { tailSize: end.length },
    );
  } catch (cause) {
    if (cause instanceof HostError && cause.reason === "BACKUP_FOREIGN") throw cause;
    const thrown = failure ?? cause;
    if (!(thrown instanceof HostError) && errnoOf(thrown) !== undefined)
      throw fromFileError(thrown, `Reading the archive ${path}`);
    if (await beginsAsBackup(file))
      throw new HostError(
        "BACKUP_DAMAGED",
        `The archive ${path} is damaged: its end is missing, so it was cut off. Use another backup.`,
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
    throw foreign(path, "it holds no manifest");
  }
  const [folder = ""] = folders;
  if (folders.size > 1)
    throw foreign(
      path,
      `its manifests lie in more than one folder: ${[...folders]
        .slice(0, 3)
        .map((one) => JSON.stringify(one))
        .join(", ")}. Unpack it, and name one of the directories`,
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
        `The archive ${path} lacks the file ${name} that its manifest lists. Use another backup.`,
      );
    return entry;
  };
  const checkSize = (segment: Pick<Segment, "name" | "sizeBytes">): ZipEntry => {
    const entry = entryOf(segment.name);
    if (entry.uncompressedSize === segment.sizeBytes) return entry;
    throw new HostError(
      "BACKUP_DAMAGED",
      `The archive ${path} is damaged: ${segment.name} has ${entry.uncompressedSize} bytes, not ${segment.sizeBytes}. Use another backup.`,
    );
  };

  async function readManifest(name: string, signal: AbortSignal): Promise<Buffer> {
    const entry = entryOf(name);
    if (entry.uncompressedSize > limits.manifestBytes)
      throw new HostError("BACKUP_DAMAGED", `The manifest ${name} is too large to be one.`);
    const chunks: Buffer[] = [];
    for await (const chunk of entryBytes(path, entry, signal)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  return {
    kind: "ZIP",
    displayName: path,
    names: [...byName.keys()],
    otherEntries: entries
      .filter((entry) => !entry.path.startsWith(folder))
      .map((entry) => entry.path),
    manifests: (signal) => readManifests([...byName.keys()], (name) => readManifest(name, signal)),
    sizeOf: async (name) => byName.get(name)?.uncompressedSize,
    async fetch(wanted, signal, onBytes) {
      const segments = wanted.map(({ segment, path: target }) => {
        checkSize(segment);
        return { name: segment.name, sizeBytes: segment.sizeBytes, target };
      });
      await runZip({ kind: "extract", path, segments }, signal, onBytes);
    },
    bytesOf: (entry, signal) => entryBytes(path, checkSize(entry), signal),
    async readBack(entry, through) {
      const hash = createHash("sha256");
      for await (const chunk of through(
        entryBytes(path, checkSize(entry), new AbortController().signal),
      ))
        hash.update(chunk);
      if (hash.digest("hex") !== entry.sha256) {
        throw new HostError(
          "BACKUP_DAMAGED",
          `${entry.name} did not read back from ${path} as it was written: the disk fails.`,
        );
      }
    },
    close: () => file.close(),
  };
}

const baseName = (path: string) => path.slice(path.lastIndexOf("/") + 1);

async function magicOf(file: OpenFile): Promise<string> {
  const begin = Buffer.alloc(2);
  return begin.subarray(0, await file.read(begin, 0)).toString("latin1");
}

/** Whether the first entry of what is no whole archive has a name that only a backup gives. */
async function beginsAsBackup(file: OpenFile): Promise<boolean> {
  const header = Buffer.alloc(30 + 256);
  const bytes = header.subarray(0, await file.read(header, 0));
  if (bytes.length <= 30 || !beginsZip(bytes.subarray(0, 4))) return false;
  const name = baseName(bytes.subarray(30, 30 + bytes.readUInt16LE(26)).toString("utf8"));
  return isSegmentName(name) || parseManifestName(name) !== undefined;
}

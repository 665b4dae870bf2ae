import { createLink } from "../../document/link.js";
import { HostError } from "../../errors.js";
import { requirePath } from "../../io/canonical-files.js";
import { fromFileError } from "../../io/file-error.js";
import { readOpenRange } from "../../io/read-file.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { FileService, NewFileService, ReadableFile, UploadRange } from "./file-service.js";
import { changed, Incoming, serialize, type Entry, type UploadPace } from "./incoming.js";
import { readOptions } from "./open-options.js";
import { openPublishedFiles, type PublishedFiles } from "./published-files.js";
import { fileRecords, type FileRecord, type FileRecords } from "./records.js";
import { targetPath, type FilePathRules } from "./target.js";

/** Path of the factory of file services. */
export const fileStorePath = "/local-files";

/** Options of FileStore. */
export interface FileStoreOptions extends FilePathRules {
  /** Directory of the persisted services; created if missing. */
  directory: string;
  onBackgroundError(error: unknown): void;
  /** Default: the values in limits.ts. */
  pace?: UploadPace;
}

const hostPace: UploadPace = {
  takeoverMs: limits.fileUploadTakeoverMs,
  idleMs: limits.fileUploadIdleMs,
  sweepMs: limits.fileExpiryCheckMs,
};

/**
 * The file services of a host. Links are below /local-files; unknown ones throw DOCUMENT_NOT_FOUND.
 */
export class FileStore {
  private readonly entries = new Map<string, Entry>();
  /** Links of services that are being created. */
  private readonly creating = new Set<string>();
  private readonly pace: UploadPace;
  private readonly incoming: Incoming;
  private readonly timer: NodeJS.Timeout;
  private reads = 0;

  private constructor(
    private readonly platform: Platform,
    private readonly options: FileStoreOptions,
    private readonly records: FileRecords,
    publishedFiles: PublishedFiles,
  ) {
    const { pace = hostPace, onBackgroundError } = options;
    this.pace = pace;
    this.incoming = new Incoming(platform, {
      ...options,
      pace,
      publishedFiles,
      makeRoom: () => this.makeRoom(),
      save: (entry, partialPath) => this.save(entry, partialPath),
    });
    this.timer = setInterval(() => {
      for (const entry of this.entries.values())
        void this.incoming.dropAbandoned(entry, pace.idleMs).catch(onBackgroundError);
    }, pace.sweepMs);
    this.timer.unref();
  }

  /** Opens the services persisted in a directory. Partial uploads of an earlier run are removed. */
  static async open(platform: Platform, options: FileStoreOptions): Promise<FileStore> {
    const { directory, onBackgroundError } = options;
    const records = fileRecords(platform, directory);
    const loaded = await loadRecords(platform, records, onBackgroundError);
    const publishedFiles = await openPublishedFiles(
      platform,
      `${directory}.published.json`,
      onBackgroundError,
    );
    const store = new FileStore(platform, options, records, publishedFiles);
    for (const record of loaded)
      store.entries.set(record.link, { record, last: Promise.resolve() });
    return store;
  }

  /**
   * Creates a service. Checks the URI against the roots; the file itself is first accessed by a
   * write or read.
   */
  async create({
    link: given,
    localFileUri,
    fileOptions: names,
  }: NewFileService): Promise<FileService> {
    const { platform, entries, creating } = this;
    const fileOptions = readOptions(names);
    if (localFileUri.length > limits.fileUriChars)
      throw new HostError(
        "REQUEST_INVALID",
        `localFileUri exceeds the limit of ${limits.fileUriChars} characters.`,
        { metadata: { field: "localFileUri" } },
      );
    await targetPath(platform, this.options, localFileUri);
    const link = createLink(fileStorePath, given, platform.randomId);
    if (entries.has(link) || creating.has(link))
      throw new HostError("DOCUMENT_EXISTS", `Service already started: ${link} stage: CREATED`, {
        metadata: { link },
      });
    if (entries.size + creating.size >= limits.fileServices)
      throw new HostError(
        "TRANSFER_LIMIT",
        `Limit of ${entries.size} file services reached. Delete one.`,
      );
    creating.add(link);
    try {
      const record: FileRecord = {
        link,
        localFileUri,
        fileOptions,
        writeFinished: false,
        version: 0,
        updateTimeMicros: platform.nowMicros(),
      };
      await this.records.write(record);
      const entry: Entry = { record, last: Promise.resolve() };
      entries.set(link, entry);
      return view(entry);
    } finally {
      creating.delete(link);
    }
  }

  /** Returns a service. */
  get(link: string): FileService {
    return view(this.find(link));
  }

  /** Lists the services, sorted by link. */
  list(): FileService[] {
    return [...this.entries.values()].map(view).sort((a, b) => (a.link < b.link ? -1 : 1));
  }

  /** Sets writeFinished. Throws TRANSFER_INCOMPLETE during an upload. */
  async finish(link: string, writeFinished: boolean): Promise<FileService> {
    const entry = this.find(link);
    return serialize(entry, async () => {
      this.find(link);
      if (writeFinished) await this.requireNoUpload(entry);
      const previous = entry.record;
      entry.record = { ...changed(previous, "PATCH", this.platform.nowMicros()), writeFinished };
      await this.save(entry).catch((error: unknown) => {
        entry.record = previous;
        throw error;
      });
      return view(entry);
    });
  }

  /** Deletes the service and its partial upload. The file remains. */
  async delete(link: string): Promise<FileService> {
    const entry = this.find(link);
    const reason = new HostError("UPLOAD_CONFLICT", `The service ${link} was deleted.`);
    this.incoming.interrupt(entry, reason);
    return serialize(entry, async () => {
      this.find(link);
      await this.records.remove(link);
      this.entries.delete(link);
      entry.record = changed(entry.record, "DELETE", this.platform.nowMicros());
      await this.incoming.drop(entry, reason);
      return view(entry);
    });
  }

  /**
   * Receives a part of the file or all of it. When the upload is complete, the file is replaced
   * atomically and durably; until then it is unchanged. An incomplete body is discarded. `open` is
   * called once for the bytes, with a signal that aborts when they are no longer needed.
   */
  async write(
    link: string,
    range: UploadRange,
    open: (signal: AbortSignal) => AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<FileService> {
    const entry = this.find(link);
    await this.incoming.receive(entry, range, open, signal);
    return view(entry);
  }

  /** Opens the file for reading. Throws BACKUP_NOT_FOUND if it does not exist. */
  async read(link: string): Promise<ReadableFile> {
    const { localFileUri } = this.find(link).record;
    const path = await targetPath(this.platform, this.options, localFileUri);
    if (this.reads >= limits.fileReads)
      throw new HostError(
        "STREAM_LIMIT",
        `Limit of ${this.reads} concurrent reads reached. Wait for one to end.`,
      );
    this.reads += 1;
    try {
      const file = await this.openToRead(path);
      return {
        ...file,
        close: async () => {
          this.reads -= 1;
          await file.close();
        },
      };
    } catch (error) {
      this.reads -= 1;
      throw fromFileError(error, `Reading ${path}`);
    }
  }

  /** Drops partial uploads and stops background work. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    const reason = new HostError("SHUTTING_DOWN", "The host is shutting down.");
    for (const entry of this.entries.values()) this.incoming.interrupt(entry, reason);
    for (const entry of this.entries.values())
      await serialize(entry, () => this.incoming.drop(entry, reason));
  }

  private find(link: string): Entry {
    const entry = this.entries.get(link);
    if (!entry)
      throw new HostError("DOCUMENT_NOT_FOUND", `Service not found: ${link}`, {
        metadata: { link },
      });
    return entry;
  }

  private save({ record, upload }: Entry, partialPath = upload?.partialPath): Promise<void> {
    return this.records.write({
      ...record,
      ...(partialPath !== undefined && { unfinished: partialPath }),
    });
  }

  /** Drops an upload that only repeats the published file. Throws TRANSFER_INCOMPLETE for another one. */
  private async requireNoUpload(entry: Entry): Promise<void> {
    const { link } = entry.record;
    if (entry.upload?.repeats && !entry.upload.busy)
      await this.incoming.drop(
        entry,
        new HostError("UPLOAD_CONFLICT", `The upload to ${link} is finished.`),
      );
    if (!entry.upload) return;
    const bytes = entry.upload.received.reduce((sum, { start, end }) => sum + end - start, 0);
    throw new HostError(
      "TRANSFER_INCOMPLETE",
      `The upload to ${link} is incomplete: ${bytes} of ${entry.upload.total ?? "an unknown number of"} bytes received. Send the rest, or delete the service.`,
    );
  }

  /** Drops the upload that has been idle longest if the limit is reached. */
  private async makeRoom(): Promise<void> {
    const idleMs = ({ upload }: Entry) => upload?.idleMs() ?? 0;
    const [oldest, ...others] = [...this.entries.values()]
      .filter(({ upload }) => upload !== undefined)
      .sort((a, b) => idleMs(b) - idleMs(a));
    if (!oldest || others.length + 1 < limits.fileUploads) return;
    await this.incoming.dropAbandoned(oldest, this.pace.takeoverMs);
    if (oldest.upload)
      throw new HostError(
        "TRANSFER_LIMIT",
        `Limit of ${others.length + 1} concurrent uploads reached. Wait for one to end.`,
      );
  }

  private async openToRead(path: string): Promise<ReadableFile> {
    const { files } = this.platform;
    // Checked before opening, because opening a pipe waits for a writer.
    const found = await files.status(path);
    if (found === undefined)
      throw new HostError(
        "BACKUP_NOT_FOUND",
        `File ${path} not found: it was not uploaded, or only in part.`,
        { metadata: { path } },
      );
    if (found.kind !== "file")
      throw new HostError("DESTINATION_OCCUPIED", `${path} is not a regular file.`, {
        metadata: { path },
      });
    const file = await files.openToRead(path);
    try {
      await requirePath(file, path);
      return {
        status: await file.status(),
        bytes: (offset, end, signal) =>
          readOpenRange(file, path, { offset, end, chunkBytes: limits.fileReadBytes }, signal),
        close: () => file.close(),
      };
    } catch (error) {
      await file.close();
      throw error;
    }
  }
}

/** Loads the persisted services and removes the partial uploads of an earlier run. */
async function loadRecords(
  { files }: Platform,
  records: FileRecords,
  onBackgroundError: (error: unknown) => void,
): Promise<FileRecord[]> {
  const loaded: FileRecord[] = [];
  const onUnreadable = (path: string) =>
    onBackgroundError(
      new HostError(
        "STORAGE_FAILED",
        `Cannot read the record of a file service, ${path}: the service is not available. Create the service again and remove the file.`,
      ),
    );
  for (const { unfinished: partialPath, ...record } of await records.load(onUnreadable)) {
    if (partialPath !== undefined) {
      await files.remove(partialPath).catch(onBackgroundError);
      await records.write(record);
    }
    loaded.push(record);
  }
  return loaded;
}

function view({
  record: { published: _, publishedBytes, ...service },
  upload,
}: Entry): FileService {
  if (upload && !upload.repeats)
    return {
      ...service,
      upload: {
        ...(upload.total !== undefined && { totalBytes: upload.total }),
        received: upload.received,
        complete: false,
      },
    };
  if (publishedBytes === undefined) return service;
  return {
    ...service,
    upload: {
      totalBytes: publishedBytes,
      received: publishedBytes === 0 ? [] : [{ start: 0, end: publishedBytes }],
      complete: true,
    },
  };
}

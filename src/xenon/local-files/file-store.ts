import { createLink } from "../../document/link.js";
import { HostError } from "../../errors.js";
import { requirePath } from "../../io/canonical-files.js";
import { fromFileError } from "../../io/file-error.js";
import type { OpenFile } from "../../io/file-system.js";
import { readOpenRange } from "../../io/read-file.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { FileService, FileStore } from "./file-service.js";
import { changed, createIncoming, serialize, type Entry, type UploadPace } from "./incoming.js";
import { readOptions } from "./open-options.js";
import { openPublishedFiles } from "./published-files.js";
import { fileRecords, type FileRecord } from "./records.js";
import { targetPath, type FilePathRules } from "./target.js";

/** Path of the factory of file services. */
export const fileStorePath = "/local-files";

/** Options of openFileStore. */
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

/** Opens the services persisted in a directory. Partial uploads of an earlier run are removed. */
export async function openFileStore(
  platform: Platform,
  options: FileStoreOptions,
): Promise<FileStore> {
  const { files } = platform;
  const { pace = hostPace } = options;
  const records = fileRecords(platform, options.directory);
  const entries = new Map<string, Entry>();
  /** Links of services that are being created. */
  const creating = new Set<string>();
  let reads = 0;
  const onUnreadable = (path: string) =>
    options.onBackgroundError(
      new HostError(
        "STORAGE_FAILED",
        `Cannot read the record of a file service, ${path}: the service is not available. Create the service again and remove the file.`,
      ),
    );
  for (const { unfinished: partialPath, ...record } of await records.load(onUnreadable)) {
    if (partialPath !== undefined) {
      await files.remove(partialPath).catch(options.onBackgroundError);
      await records.write(record);
    }
    entries.set(record.link, { record, last: Promise.resolve() });
  }
  const publishedFiles = await openPublishedFiles(
    platform,
    `${options.directory}.published.json`,
    options.onBackgroundError,
  );
  const incoming = createIncoming(platform, { ...options, pace, publishedFiles, makeRoom, save });
  const timer = setInterval(() => {
    for (const entry of entries.values())
      void incoming.dropAbandoned(entry, pace.idleMs).catch(options.onBackgroundError);
  }, pace.sweepMs);
  timer.unref();

  function find(link: string): Entry {
    const entry = entries.get(link);
    if (!entry)
      throw new HostError("DOCUMENT_NOT_FOUND", `Service not found: ${link}`, {
        metadata: { link },
      });
    return entry;
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

  function save({ record, upload }: Entry, partialPath = upload?.partialPath): Promise<void> {
    return records.write({
      ...record,
      ...(partialPath !== undefined && { unfinished: partialPath }),
    });
  }

  /** Drops the upload that has been idle longest if the limit is reached. */
  async function makeRoom(): Promise<void> {
    const idleMs = ({ upload }: Entry) => upload?.idleMs() ?? 0;
    const [oldest, ...others] = [...entries.values()]
      .filter(({ upload }) => upload !== undefined)
      .sort((a, b) => idleMs(b) - idleMs(a));
    if (!oldest || others.length + 1 < limits.fileUploads) return;
    await incoming.dropAbandoned(oldest, pace.takeoverMs);
    if (oldest.upload)
      throw new HostError(
        "TRANSFER_LIMIT",
        `Limit of ${others.length + 1} concurrent uploads reached. Wait for one to end.`,
      );
  }

  return {
    async create({ link: given, localFileUri, fileOptions }) {
      const read = readOptions(fileOptions);
      if (localFileUri.length > limits.fileUriChars)
        throw new HostError(
          "REQUEST_INVALID",
          `localFileUri exceeds the limit of ${limits.fileUriChars} characters.`,
          { metadata: { field: "localFileUri" } },
        );
      await targetPath(platform, options, localFileUri);
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
      const record: FileRecord = {
        link,
        localFileUri,
        fileOptions: read,
        writeFinished: false,
        version: 0,
        updateTimeMicros: platform.nowMicros(),
      };
      creating.add(link);
      try {
        await records.write(record);
        const entry: Entry = { record, last: Promise.resolve() };
        entries.set(link, entry);
        return view(entry);
      } finally {
        creating.delete(link);
      }
    },

    get: (link) => view(find(link)),
    list: () => [...entries.values()].map(view).sort((a, b) => (a.link < b.link ? -1 : 1)),

    finish(link, writeFinished) {
      const entry = find(link);
      return serialize(entry, async () => {
        find(link);
        if (writeFinished && entry.upload?.repeats && !entry.upload.busy)
          await incoming.drop(
            entry,
            new HostError("UPLOAD_CONFLICT", `The upload to ${link} is finished.`),
          );
        if (writeFinished && entry.upload) {
          const bytes = entry.upload.received.reduce((sum, { start, end }) => sum + end - start, 0);
          throw new HostError(
            "TRANSFER_INCOMPLETE",
            `The upload to ${link} is incomplete: ${bytes} of ${entry.upload.total ?? "an unknown number of"} bytes received. Send the rest, or delete the service.`,
          );
        }
        const previous = entry.record;
        entry.record = { ...changed(previous, "PATCH", platform.nowMicros()), writeFinished };
        await save(entry).catch((error: unknown) => {
          entry.record = previous;
          throw error;
        });
        return view(entry);
      });
    },

    delete(link) {
      const entry = find(link);
      const reason = new HostError("UPLOAD_CONFLICT", `The service ${link} was deleted.`);
      incoming.interrupt(entry, reason);
      return serialize(entry, async () => {
        find(link);
        await records.remove(link);
        entries.delete(link);
        entry.record = changed(entry.record, "DELETE", platform.nowMicros());
        await incoming.drop(entry, reason);
        return view(entry);
      });
    },

    async write(link, range, open, signal) {
      const entry = find(link);
      await incoming.receive(entry, range, open, signal);
      return view(entry);
    },

    async read(link) {
      const path = await targetPath(platform, options, find(link).record.localFileUri);
      if (reads >= limits.fileReads)
        throw new HostError(
          "STREAM_LIMIT",
          `Limit of ${reads} concurrent reads reached. Wait for one to end.`,
        );
      reads += 1;
      let file: OpenFile | undefined;
      const close = async () => {
        reads -= 1;
        await file?.close();
      };
      try {
        // Checked before opening, because opening a pipe waits for a writer.
        const status = await files.status(path);
        if (status === undefined)
          throw new HostError(
            "BACKUP_NOT_FOUND",
            `File ${path} not found: it was not uploaded, or only in part.`,
            { metadata: { path } },
          );
        if (status.kind !== "file")
          throw new HostError("DESTINATION_OCCUPIED", `${path} is not a regular file.`, {
            metadata: { path },
          });
        const open = (file = await files.openToRead(path));
        await requirePath(open, path);
        const bytes = (offset: number, end: number, signal: AbortSignal) =>
          readOpenRange(open, path, { offset, end, chunkBytes: limits.fileReadBytes }, signal);
        return { status: await open.status(), bytes, close };
      } catch (error) {
        await close();
        throw fromFileError(error, `Reading ${path}`);
      }
    },

    async close() {
      clearInterval(timer);
      const reason = new HostError("SHUTTING_DOWN", "The host is shutting down.");
      for (const entry of entries.values()) incoming.interrupt(entry, reason);
      for (const entry of entries.values())
        await serialize(entry, () => incoming.drop(entry, reason));
    },
  };
}

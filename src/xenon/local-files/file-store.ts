import { createLink } from "../../document/link.js";
import { HostError } from "../../errors.js";
import { requirePath } from "../../io/canonical-files.js";
import { fromFileError } from "../../io/file-error.js";
import type { OpenFile } from "../../io/file-system.js";
import { readOpenRange } from "../../io/read-file.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { FileService, FileStore } from "./file-service.js";
import { changed, createIncoming, inTurn, type Entry, type UploadPace } from "./incoming.js";
import { readOptions } from "./open-options.js";
import { openPublishedFiles } from "./published-files.js";
import { fileRecords, type FileRecord } from "./records.js";
import { targetPath, type FilePlaces } from "./target.js";

export const fileStorePath = "/local-files";

export interface FileStoreOptions extends FilePlaces {
  /** Where the services are written down; made if it is missing. */
  directory: string;
  onBackgroundError(error: unknown): void;
  /** Absent: that of limits.ts. */
  pace?: UploadPace;
}

const hostPace: UploadPace = {
  quietMs: limits.fileUploadQuietMs,
  idleMs: limits.fileUploadIdleMs,
  sweepMs: limits.fileSweepMs,
};

/** Opens the services of a directory; those of an earlier run are there again, without what had come of their uploads. */
export async function openFileStore(
  platform: Platform,
  options: FileStoreOptions,
): Promise<FileStore> {
  const { files } = platform;
  const { pace = hostPace } = options;
  const records = fileRecords(platform, options.directory);
  const entries = new Map<string, Entry>();
  /** Links that are being written down. */
  const beginning = new Set<string>();
  let reads = 0;
  const onUnreadable = (path: string) =>
    options.onBackgroundError(
      new HostError(
        "STORAGE_FAILED",
        `The record of a file service, ${path}, cannot be read: the service is not there. Make the service again, and remove the file.`,
      ),
    );
  for (const { unfinished, ...record } of await records.load(onUnreadable)) {
    if (unfinished !== undefined) {
      await files.remove(unfinished).catch(options.onBackgroundError);
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
      void incoming.dropLeft(entry, pace.idleMs).catch(options.onBackgroundError);
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

  function save({ record, upload }: Entry, unfinished = upload?.unfinished): Promise<void> {
    return records.write({ ...record, ...(unfinished !== undefined && { unfinished }) });
  }

  /** What was left longest ago has to go. */
  async function makeRoom(): Promise<void> {
    const quiet = ({ upload }: Entry) => upload?.quietMs() ?? 0;
    const [oldest, ...others] = [...entries.values()]
      .filter(({ upload }) => upload !== undefined)
      .sort((a, b) => quiet(b) - quiet(a));
    if (!oldest || others.length + 1 < limits.fileUploads) return;
    await incoming.dropLeft(oldest, pace.quietMs);
    if (oldest.upload)
      throw new HostError(
        "TRANSFER_LIMIT",
        `${others.length + 1} files are being uploaded, as many as the host takes at a time; wait for one to end.`,
      );
  }

  return {
    async create({ link: given, localFileUri, fileOptions }) {
      const read = readOptions(fileOptions);
      if (localFileUri.length > limits.fileUriLength)
        throw new HostError(
          "REQUEST_INVALID",
          `localFileUri is longer than ${limits.fileUriLength} characters.`,
          { metadata: { field: "localFileUri" } },
        );
      await targetPath(platform, options, localFileUri);
      const link = createLink(fileStorePath, given, platform.randomId);
      if (entries.has(link) || beginning.has(link))
        throw new HostError("DOCUMENT_EXISTS", `Service already started: ${link} stage: CREATED`, {
          metadata: { link },
        });
      if (entries.size + beginning.size >= limits.fileServices)
        throw new HostError(
          "TRANSFER_LIMIT",
          `There are ${entries.size} file services, as many as the host keeps; delete one.`,
        );
      const record: FileRecord = {
        link,
        localFileUri,
        fileOptions: read,
        writeFinished: false,
        version: 0,
        updateTimeMicros: platform.nowMicros(),
      };
      beginning.add(link);
      try {
        await records.write(record);
        const entry: Entry = { record, last: Promise.resolve() };
        entries.set(link, entry);
        return view(entry);
      } finally {
        beginning.delete(link);
      }
    },

    get: (link) => view(find(link)),
    list: () => [...entries.values()].map(view).sort((a, b) => (a.link < b.link ? -1 : 1)),

    finish(link, writeFinished) {
      const entry = find(link);
      return inTurn(entry, async () => {
        find(link);
        if (writeFinished && entry.upload?.repeats && !entry.upload.busy)
          await incoming.drop(
            entry,
            new HostError("UPLOAD_CONFLICT", `The file of ${link} is finished.`),
          );
        if (writeFinished && entry.upload) {
          const bytes = entry.upload.received.reduce((sum, { start, end }) => sum + end - start, 0);
          throw new HostError(
            "TRANSFER_INCOMPLETE",
            `${bytes} of the ${entry.upload.total ?? "unknown number of"} bytes for ${link} have come, so that it is not finished. Send the rest, or delete the service.`,
          );
        }
        const before = entry.record;
        entry.record = { ...changed(before, "PATCH", platform.nowMicros()), writeFinished };
        await save(entry).catch((error: unknown) => {
          entry.record = before;
          throw error;
        });
        return view(entry);
      });
    },

    delete(link) {
      const entry = find(link);
      const why = new HostError("UPLOAD_CONFLICT", `The service ${link} was deleted.`);
      incoming.interrupt(entry, why);
      return inTurn(entry, async () => {
        find(link);
        await records.remove(link);
        entries.delete(link);
        entry.record = changed(entry.record, "DELETE", platform.nowMicros());
        await incoming.drop(entry, why);
        return view(entry);
      });
    },

    async write(link, where, open, signal) {
      const entry = find(link);
      await incoming.receive(entry, where, open, signal);
      return view(entry);
    },

    async read(link) {
      const path = await targetPath(platform, options, find(link).record.localFileUri);
      if (reads >= limits.fileReads)
        throw new HostError(
          "STREAM_LIMIT",
          `${reads} files are being read, as many as the host allows; wait for one to end.`,
        );
      reads += 1;
      let file: OpenFile | undefined;
      const close = async () => {
        reads -= 1;
        await file?.close();
      };
      try {
        // Opening a pipe would wait for who writes to it.
        const there = await files.status(path);
        if (there === undefined)
          throw new HostError(
            "BACKUP_NOT_FOUND",
            `${path} is not there: nothing was uploaded to it, or not all of it.`,
            { metadata: { path } },
          );
        if (there.kind !== "file")
          throw new HostError("DESTINATION_OCCUPIED", `${path} is no file.`, {
            metadata: { path },
          });
        const open = (file = await files.openToRead(path));
        await requirePath(open, path);
        const bytes = (offset: number, end: number, signal: AbortSignal) =>
          readOpenRange(open, path, { offset, end, pieceBytes: limits.fileReadBytes }, signal);
        return { status: await open.status(), bytes, close };
      } catch (error) {
        await close();
        throw fromFileError(error, `Reading ${path}`);
      }
    },

    async close() {
      clearInterval(timer);
      const why = new HostError("SHUTTING_DOWN", "The host is shutting down.");
      for (const entry of entries.values()) incoming.interrupt(entry, why);
      for (const entry of entries.values()) await inTurn(entry, () => incoming.drop(entry, why));
    },
  };
}

import { HostError } from "../../errors.js";
import { fromFileError } from "../../io/file-error.js";
import type { Platform } from "../../io/platform.js";
import { createUploadCheck } from "./check-upload.js";
import type { FileService, Place } from "./file-service.js";
import type { PublishedFiles } from "./published-files.js";
import type { FileRecord } from "./records.js";
import { checkTarget, targetPath, type FilePlaces } from "./target.js";
import { beginUpload, unfinishedName, type Slot, type Upload } from "./upload.js";

/** A service and what of its next file has come. */
export interface Entry {
  record: FileRecord;
  upload?: Upload | undefined;
  /** What puts the complete upload in its place; once. */
  publishing?: Promise<void> | undefined;
  /** Ends the check of what is to be put there. */
  checking?: AbortController | undefined;
  /** What begins, ends or replaces an upload is done one after the other. */
  last: Promise<unknown>;
}

/** How long an upload waits for the rest of it, in milliseconds. */
export interface UploadPace {
  /** After it, who sends another file is not held up. */
  quietMs: number;
  /** After it, what came is removed. */
  idleMs: number;
  sweepMs: number;
}

export interface IncomingOptions extends FilePlaces {
  pace: UploadPace;
  /** Throws where there is no room for one more upload. */
  makeRoom(): Promise<void>;
  /** Writes an entry down, durably. */
  save(entry: Entry, unfinished?: string): Promise<void>;
  publishedFiles: PublishedFiles;
  onBackgroundError(error: unknown): void;
}

/** How files come in: which upload a PUT belongs to, and what happens when it is complete. */
export interface Incoming {
  /** Takes the bytes of one PUT. */
  receive(
    entry: Entry,
    where: Place,
    open: (signal: AbortSignal) => AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Ends what keeps the entry's turn. */
  interrupt(entry: Entry, why: HostError): void;
  /** Ends the upload, if there is one. In the entry's turn. */
  drop(entry: Entry, why: HostError): Promise<void>;
  /** Ends it if no request has worked on it for so long. */
  dropLeft(entry: Entry, quietMs: number): Promise<void>;
}

export function inTurn<T>(entry: Entry, work: () => Promise<T>): Promise<T> {
  const done = entry.last.then(work);
  entry.last = done.catch(() => {});
  return done;
}

export function changed(
  record: FileRecord,
  action: NonNullable<FileService["action"]>,
  nowMicros: number,
): FileRecord {
  return { ...record, version: record.version + 1, action, updateTimeMicros: nowMicros };
}

export function createIncoming(
  platform: Pick<Platform, "files" | "randomHex" | "nowMicros">,
  options: IncomingOptions,
): Incoming {
  const { files } = platform;
  const check = createUploadCheck(platform);
  const isOurs = (path: string, published: string | undefined) => (version: string) =>
    version === published || options.publishedFiles.has(path, version);
  const directoryOf = (path: string) => path.slice(0, path.lastIndexOf("/")) || "/";

  async function drop(entry: Entry, why: HostError): Promise<void> {
    const { upload } = entry;
    entry.upload = entry.publishing = undefined;
    await upload?.discard(why).catch(options.onBackgroundError);
  }

  function dropLeft(entry: Entry, quietMs: number): Promise<void> {
    return inTurn(entry, async () => {
      if (entry.upload && !entry.publishing && entry.upload.quietMs() > quietMs)
        await drop(entry, left(entry));
    });
  }

  /** The upload that a PUT belongs to, a new one where there is none, and its place in it; undefined while one is being put in its place. */
  async function place(
    entry: Entry,
    where: Place,
  ): Promise<{ upload: Upload; slot: Slot } | undefined> {
    if (entry.record.action === "DELETE")
      throw new HostError("DOCUMENT_NOT_FOUND", `Service not found: ${entry.record.link}`, {
        metadata: { link: entry.record.link },
      });
    if (entry.record.writeFinished)
      throw new HostError("REQUEST_INVALID", "writeFinished is set to true");
    if (entry.upload?.complete && !entry.upload.repeats) return undefined;
    if (entry.upload) await dropUnless(entry, entry.upload, where);
    const upload = (entry.upload ??= await begin(entry, where));
    try {
      return { upload, slot: await upload.reserve(await spanOf(upload, where)) };
    } catch (error) {
      await forgetEmpty(entry, upload);
      throw error;
    }
  }

  /** Drops an upload that a PUT cannot belong to and that nobody goes on with; throws where somebody may. */
  async function dropUnless(entry: Entry, upload: Upload, where: Place): Promise<void> {
    if (upload.failure) return drop(entry, upload.failure);
    const same =
      upload.total === where.total &&
      (upload.sha256 ?? where.sha256) === (where.sha256 ?? upload.sha256);
    // A part of the last upload, sent again, holds nobody up.
    if (!same && upload.repeats && !upload.busy) return drop(entry, left(entry));
    if (!("start" in where)) {
      // A whole body goes on with nothing. Sent again, it takes the place of its former self.
      if (!upload.busy) await drop(entry, left(entry));
      else if (!same)
        throw new HostError(
          "UPLOAD_CONFLICT",
          `An upload of ${sizeOf(upload)} bytes goes on here; wait for it to end.`,
        );
      return;
    }
    const end = where.start + Math.max(...where.lengths);
    const again = upload.received.some((span) => span.start < end && span.end > where.start);
    // Who sends another size, or a part again, after a pause begins another upload: the last one broke.
    if (upload.quietMs() > options.pace.quietMs && (!same || again))
      return drop(entry, left(entry));
    if (same) return;
    throw new HostError(
      "REQUEST_INVALID",
      `An upload of ${sizeOf(upload)} bytes goes on here, and this request is of one of ${where.total}, or has another Repr-Digest. Nothing was taken. For another file wait until nobody has sent to this one for ${options.pace.quietMs / 1000} s.`,
      { metadata: { field: "content-range" } },
    );
  }

  async function spanOf(upload: Upload, where: Place) {
    if ("start" in where)
      return {
        start: where.start,
        end: where.start + Math.max(...where.lengths),
        lengths: where.lengths,
      };
    if (where.total !== undefined) return { start: 0, end: where.total, lengths: [where.total] };
    return { start: 0, end: await files.freeBytes(directoryOf(upload.unfinished)) };
  }

  async function begin(entry: Entry, { total, sha256 }: Place): Promise<Upload> {
    await options.makeRoom();
    const { localFileUri, fileOptions, published, publishedBytes } = entry.record;
    const path = await targetPath(platform, options, localFileUri);
    try {
      await checkTarget(platform, path, fileOptions, isOurs(path, published));
      const free = await files.freeBytes(directoryOf(path));
      if (total !== undefined && total > free) {
        throw new HostError(
          "DESTINATION_FULL",
          `The file would have ${total} bytes, and ${free} are free where ${path} lies. What was there before is as it was.`,
          { metadata: { path } },
        );
      }
    } catch (error) {
      throw fromFileError(error, `Receiving ${path}`);
    }
    const unfinished = unfinishedName(platform, path);
    await options.save(entry, unfinished);
    const before =
      published !== undefined && total === publishedBytes
        ? { path, version: published }
        : undefined;
    return beginUpload(platform, { path, unfinished, total, sha256, published: before });
  }

  /** An upload of which nothing came takes no room, and says nothing of what comes next. */
  async function forgetEmpty(entry: Entry, upload: Upload): Promise<void> {
    const empty = upload.received.length === 0 && !upload.busy && !upload.complete;
    if (entry.upload === upload && (empty || upload.failure))
      await drop(entry, upload.failure ?? left(entry));
  }

  /** Throws for what must not take the file's place; false where more has to come: parts of the last upload, sent again, made it seem complete. */
  async function holdsTogether(entry: Entry, upload: Upload): Promise<boolean> {
    const { signal } = (entry.checking = new AbortController());
    try {
      await check(upload.unfinished, upload.sha256, signal);
      return true;
    } catch (thrown) {
      if (!(thrown instanceof HostError) || thrown.reason !== "BACKUP_DAMAGED") throw thrown;
      if (!upload.doubtRepeated()) throw mixed(entry, upload, thrown);
      entry.publishing = undefined;
      entry.record = changed(entry.record, "PUT", platform.nowMicros());
      return false;
    } finally {
      entry.checking = undefined;
    }
  }

  async function publish(entry: Entry, upload: Upload): Promise<void> {
    const { localFileUri, fileOptions, published } = entry.record;
    try {
      if (!(await holdsTogether(entry, upload))) return;
      const path = await targetPath(platform, options, localFileUri);
      // Somebody may have put something there meanwhile.
      await checkTarget(platform, path, fileOptions, isOurs(path, published));
      await upload.publish();
      const status = await files.status(path);
      if (status)
        await options.publishedFiles.add(path, status.version).catch(options.onBackgroundError);
      entry.record = {
        ...changed(entry.record, "PUT", platform.nowMicros()),
        ...(status && { published: status.version, publishedBytes: status.sizeBytes }),
      };
      entry.upload = entry.publishing = undefined;
    } catch (error) {
      const why = HostError.from(fromFileError(error, `Receiving ${localFileUri}`));
      await drop(entry, why);
      throw why;
    }
    // The file is there, whether this can be written down or not.
    await options.save(entry).catch(options.onBackgroundError);
  }

  return {
    drop,
    dropLeft,
    interrupt: (entry, why) => entry.checking?.abort(why),
    async receive(entry, where, open, signal) {
      let placed: Awaited<ReturnType<typeof place>>;
      do {
        const waited = entry.upload?.total === where.total;
        await entry.publishing?.catch((error: unknown) => {
          // What it sends belongs to what was dropped.
          if (waited) throw error;
        });
        placed = await inTurn(entry, () => place(entry, where));
      } while (placed === undefined);
      const { upload, slot } = placed;
      try {
        await upload.receive(slot, open(AbortSignal.any([signal, slot.signal])));
      } catch (error) {
        await inTurn(entry, () => forgetEmpty(entry, upload));
        throw error;
      }
      // What came with the last part, or ended with the upload.
      if (upload.failure) throw upload.failure;
      if (upload.complete && !upload.repeats && entry.upload === upload)
        await (entry.publishing ??= inTurn(entry, () => publish(entry, upload)));
      else entry.record = changed(entry.record, "PUT", platform.nowMicros());
    },
  };
}

const sizeOf = ({ total }: Upload) => total ?? "an unknown number of";

function mixed(
  { record: { link } }: Entry,
  { unfinished, sha256 }: Upload,
  cause: HostError,
): HostError {
  const what =
    sha256 === undefined
      ? `a ZIP that is not whole (${cause.message.replaceAll(unfinished, link)})`
      : "not the file that its Repr-Digest announced";
  return new HostError(
    "UPLOAD_CONFLICT",
    `What came for ${link} is ${what}: it was damaged before it was sent, or parts of two uploads came together. All of it was dropped, and the file is as it was. Send all of it again when nobody else sends to it.`,
    { cause },
  );
}

const left = ({ record }: Entry) =>
  new HostError("UPLOAD_CONFLICT", `The upload to ${record.link} was left, and another one began.`);

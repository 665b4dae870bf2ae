import { HostError } from "../../errors.js";
import { fromFileError } from "../../io/file-error.js";
import type { Platform } from "../../io/platform.js";
import { createUploadCheck, type UploadCheck } from "./check-upload.js";
import type { FileService, UploadRange } from "./file-service.js";
import type { PublishedFiles } from "./published-files.js";
import type { FileRecord } from "./records.js";
import { checkTarget, targetPath, type FilePathRules } from "./target.js";
import type { Slot } from "./slot.js";
import { partialPathFor, Upload } from "./upload.js";

/** A file service and its current upload. */
export interface Entry {
  record: FileRecord;
  upload?: Upload | undefined;
  /** The publication of the complete upload; at most one. */
  publishing?: Promise<void> | undefined;
  /** Aborts the check before publication. */
  checking?: AbortController | undefined;
  /** Tail of the queue that serializes starting, ending and replacing uploads. */
  last: Promise<unknown>;
}

/** The upload of a PUT, and the slot reserved for it. */
interface Assigned {
  upload: Upload;
  slot: Slot;
}

/** Timeouts of uploads, in milliseconds. */
export interface UploadPace {
  /** Idle time after which another upload may replace this one. */
  takeoverMs: number;
  /** Idle time after which the partial upload is removed. */
  idleMs: number;
  /** Interval of the check for idle uploads. */
  sweepMs: number;
}

/** Dependencies of Incoming. */
export interface IncomingOptions extends FilePathRules {
  pace: UploadPace;
  /** Throws TRANSFER_LIMIT if no further upload may start. */
  makeRoom(): Promise<void>;
  /** Persists an entry durably. */
  save(entry: Entry, partialPath?: string): Promise<void>;
  publishedFiles: PublishedFiles;
  onBackgroundError(error: unknown): void;
}

/** Assigns PUT requests to uploads and publishes complete uploads. */
export class Incoming {
  private readonly check: UploadCheck;

  constructor(
    private readonly platform: Pick<Platform, "files" | "randomHex" | "nowMicros">,
    private readonly options: IncomingOptions,
  ) {
    this.check = createUploadCheck(platform);
  }

  /** Receives the body of a PUT. */
  async receive(
    entry: Entry,
    range: UploadRange,
    open: (signal: AbortSignal) => AsyncIterable<Buffer>,
    signal: AbortSignal,
  ): Promise<void> {
    if (isAfterEnd(range)) return requireWritable(entry);
    const { upload, slot } = await this.waitForSlot(entry, range);
    try {
      await upload.receive(slot, open(AbortSignal.any([signal, slot.signal])));
    } catch (error) {
      await serialize(entry, () => this.dropEmpty(entry, upload));
      throw error;
    }
    // The upload may have failed while this part was received.
    if (upload.failure) throw upload.failure;
    if (upload.complete && !upload.repeats && entry.upload === upload)
      await (entry.publishing ??= serialize(entry, () => this.publish(entry, upload)));
    else entry.record = changed(entry.record, "PUT", this.platform.nowMicros());
  }

  /** Aborts a running check, which blocks the queue of the entry. */
  interrupt(entry: Entry, reason: HostError): void {
    entry.checking?.abort(reason);
  }

  /** Drops the upload, if any. Must run in the queue of the entry. */
  async drop(entry: Entry, reason: HostError): Promise<void> {
    const { upload } = entry;
    entry.upload = entry.publishing = undefined;
    await upload?.discard(reason).catch(this.options.onBackgroundError);
  }

  /** Drops the upload if it has been idle for longer than `idleMs`. */
  dropAbandoned(entry: Entry, idleMs: number): Promise<void> {
    return serialize(entry, async () => {
      if (entry.upload && !entry.publishing && entry.upload.idleMs() > idleMs)
        await this.drop(entry, abandoned(entry));
    });
  }

  /** Assigns a PUT, after the publication of an upload has ended. */
  private async waitForSlot(entry: Entry, range: UploadRange): Promise<Assigned> {
    for (;;) {
      const joined = entry.upload?.total === range.total;
      await entry.publishing?.catch((error: unknown) => {
        // The request belonged to the dropped upload.
        if (joined) throw error;
      });
      const assigned = await serialize(entry, () => this.assign(entry, range));
      if (assigned !== undefined) return assigned;
    }
  }

  /**
   * Returns the upload for a PUT, starting one if necessary, and the reserved slot. Returns
   * undefined while an upload is being published.
   */
  private async assign(entry: Entry, range: UploadRange): Promise<Assigned | undefined> {
    requireWritable(entry);
    if (entry.upload?.complete && !entry.upload.repeats) return undefined;
    if (entry.upload) await this.dropUnless(entry, entry.upload, range);
    const upload = (entry.upload ??= await this.begin(entry, range));
    try {
      return { upload, slot: await upload.reserve(await this.spanOf(upload, range)) };
    } catch (error) {
      await this.dropEmpty(entry, upload);
      throw error;
    }
  }

  /**
   * Drops the current upload if the PUT cannot belong to it and it may be replaced; throws if it
   * may still be in use.
   */
  private async dropUnless(entry: Entry, upload: Upload, range: UploadRange): Promise<void> {
    if (upload.failure) return this.drop(entry, upload.failure);
    const same =
      upload.total === range.total &&
      (upload.sha256 ?? range.sha256) === (range.sha256 ?? upload.sha256);
    // Parts of the published file sent again do not block other uploads.
    if (!same && upload.repeats && !upload.busy) return this.drop(entry, abandoned(entry));
    if (!("start" in range)) {
      // A whole body never continues an upload. Sent again, it replaces the earlier attempt.
      if (!upload.busy) await this.drop(entry, abandoned(entry));
      else if (!same)
        throw new HostError(
          "UPLOAD_CONFLICT",
          `An upload of ${sizeOf(upload)} bytes is in progress. Wait for it to end.`,
        );
      return;
    }
    const end = range.start + Math.max(...range.lengths);
    const overlaps = upload.received.some((span) => span.start < end && span.end > range.start);
    // After a pause, another size or a repeated part starts a new upload: the previous one was
    // interrupted.
    if (upload.idleMs() > this.options.pace.takeoverMs && (!same || overlaps))
      return this.drop(entry, abandoned(entry));
    if (same) return;
    throw new HostError(
      "REQUEST_INVALID",
      `An upload of ${sizeOf(upload)} bytes is in progress; this request is for ${range.total} bytes or has a different Repr-Digest, and was ignored. To upload another file, wait until this upload has been idle for ${this.options.pace.takeoverMs / 1000} s.`,
      { metadata: { field: "content-range" } },
    );
  }

  private async spanOf(upload: Upload, range: UploadRange) {
    if ("start" in range)
      return {
        start: range.start,
        end: range.start + Math.max(...range.lengths),
        lengths: range.lengths,
      };
    if (range.total !== undefined) return { start: 0, end: range.total, lengths: [range.total] };
    return { start: 0, end: await this.platform.files.freeBytes(directoryOf(upload.partialPath)) };
  }

  private async begin(entry: Entry, { total, sha256 }: UploadRange): Promise<Upload> {
    await this.options.makeRoom();
    const { localFileUri, fileOptions, published, publishedBytes } = entry.record;
    const path = await targetPath(this.platform, this.options, localFileUri);
    try {
      await checkTarget(this.platform, path, fileOptions, this.isOurs(path, published));
      const free = await this.platform.files.freeBytes(directoryOf(path));
      if (total !== undefined && total > free) {
        throw new HostError(
          "DESTINATION_FULL",
          `Not enough disk space for ${path}: ${total} bytes needed, ${free} bytes free. The existing file is unchanged.`,
          { metadata: { path } },
        );
      }
    } catch (error) {
      throw fromFileError(error, `Receiving ${path}`);
    }
    const partialPath = partialPathFor(this.platform, path);
    await this.options.save(entry, partialPath);
    const publishedFile =
      published !== undefined && total === publishedBytes
        ? { path, version: published }
        : undefined;
    return Upload.begin(this.platform, {
      path,
      partialPath,
      total,
      sha256,
      published: publishedFile,
    });
  }

  /**
   * Drops an upload that has received nothing, so that it neither uses a slot nor restricts the
   * next one.
   */
  private async dropEmpty(entry: Entry, upload: Upload): Promise<void> {
    const empty = upload.received.length === 0 && !upload.busy && !upload.complete;
    if (entry.upload === upload && (empty || upload.failure))
      await this.drop(entry, upload.failure ?? abandoned(entry));
  }

  /**
   * Checks a complete upload before publication and throws if it is damaged. Returns false if it
   * may only seem complete because it includes parts of the published file sent again.
   */
  private async isIntact(entry: Entry, upload: Upload): Promise<boolean> {
    const { signal } = (entry.checking = new AbortController());
    try {
      await this.check(upload.partialPath, upload.sha256, signal);
      return true;
    } catch (thrown) {
      if (!(thrown instanceof HostError) || thrown.reason !== "BACKUP_DAMAGED") throw thrown;
      if (!upload.doubtRepeated()) throw damagedUpload(entry, upload, thrown);
      entry.publishing = undefined;
      entry.record = changed(entry.record, "PUT", this.platform.nowMicros());
      return false;
    } finally {
      entry.checking = undefined;
    }
  }

  private async publish(entry: Entry, upload: Upload): Promise<void> {
    const { localFileUri, fileOptions, published } = entry.record;
    try {
      if (!(await this.isIntact(entry, upload))) return;
      const path = await targetPath(this.platform, this.options, localFileUri);
      // The file may have been changed since the upload started.
      await checkTarget(this.platform, path, fileOptions, this.isOurs(path, published));
      await upload.publish();
      const status = await this.platform.files.status(path);
      if (status)
        await this.options.publishedFiles
          .add(path, status.version)
          .catch(this.options.onBackgroundError);
      entry.record = {
        ...changed(entry.record, "PUT", this.platform.nowMicros()),
        ...(status && { published: status.version, publishedBytes: status.sizeBytes }),
      };
      entry.upload = entry.publishing = undefined;
    } catch (error) {
      const reason = HostError.from(fromFileError(error, `Receiving ${localFileUri}`));
      await this.drop(entry, reason);
      throw reason;
    }
    // The file is published even if the record cannot be saved.
    await this.options.save(entry).catch(this.options.onBackgroundError);
  }

  /** Returns whether a version of the file was written through /local-files. */
  private isOurs(path: string, published: string | undefined): (version: string) => boolean {
    return (version) => version === published || this.options.publishedFiles.has(path, version);
  }
}

/** Returns whether a part is empty and follows the last byte: it neither starts nor ends an upload. */
function isAfterEnd(range: UploadRange): boolean {
  return "start" in range && range.start > 0 && range.start === range.total;
}

function requireWritable({ record: { link, action, writeFinished } }: Entry): void {
  if (action === "DELETE")
    throw new HostError("DOCUMENT_NOT_FOUND", `Service not found: ${link}`, { metadata: { link } });
  if (writeFinished) throw new HostError("REQUEST_INVALID", "writeFinished is set to true");
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** Runs work in the queue of an entry. */
export function serialize<T>(entry: Entry, work: () => Promise<T>): Promise<T> {
  const done = entry.last.then(work);
  entry.last = done.catch(() => {});
  return done;
}

/** Returns the record after a change. */
export function changed(
  record: FileRecord,
  action: NonNullable<FileService["action"]>,
  nowMicros: number,
): FileRecord {
  return { ...record, version: record.version + 1, action, updateTimeMicros: nowMicros };
}

const sizeOf = ({ total }: Upload) => total ?? "an unknown number of";

function damagedUpload(
  { record: { link } }: Entry,
  { partialPath, sha256 }: Upload,
  cause: HostError,
): HostError {
  const what =
    sha256 === undefined
      ? `it is not a valid ZIP (${cause.message.replaceAll(partialPath, link)})`
      : "it does not match its Repr-Digest";
  return new HostError(
    "UPLOAD_CONFLICT",
    `Upload to ${link} rejected: ${what}. It was damaged at the source, or mixes parts of two uploads. The upload was dropped and the file is unchanged. Send the whole file again while nothing else is uploaded to it.`,
    { cause },
  );
}

const abandoned = ({ record }: Entry) =>
  new HostError(
    "UPLOAD_CONFLICT",
    `The upload to ${record.link} was abandoned and replaced by another one.`,
  );

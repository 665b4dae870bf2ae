import { join } from "node:path";
import type { BackupDescription } from "../../segment/description.js";
import { HostError } from "../../errors.js";
import { publishFile, temporaryPrefix } from "../../io/durable-file.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import {
  checkTransferName,
  type Transfer,
  type TransferLimits,
  type TransferRecord,
} from "./transfer.js";
import { TransferFiles } from "./transfer-files.js";
import { TransferQuota } from "./transfer-quota.js";
import { UploadWriter } from "./upload.js";

/** An archive that is being packed for a download. */
export interface DownloadDraft {
  readonly name: string;
  /** Path of a staging directory, which the caller creates. */
  readonly staging: string;
  /** Moves the archive into the transfer and makes it readable. Throws STORAGE_FULL or TRANSFER_LIMIT. */
  publish(archive: PackedArchive, backup: BackupDescription): Promise<void>;
  /** Ends the draft. Does nothing after `publish`. */
  release(): void;
}

interface PackedArchive {
  path: string;
  sizeBytes: number;
  sha256: string;
}

/** A complete transfer that does not expire until it is released. */
export interface HeldTransfer {
  readonly transfer: Transfer;
  /** Path of the archive. */
  readonly path: string;
  /** Aborts when the transfer is deleted. */
  readonly signal: AbortSignal;
  release(): void;
}

interface Entry {
  record: TransferRecord;
  /** Time of the last use, as performance.now(). */
  lastUsedMs: number;
  holders: number;
  /** Aborts when the transfer is removed. */
  controller: AbortController;
  stream?: UploadStream | undefined;
  /** Settles when its files exist. */
  created: Promise<void>;
  /** Number of streams that were opened to upload it. Only the last one may write. */
  streams: number;
}

/** The stream that writes an upload. */
interface UploadStream {
  controller: AbortController;
  closed: Promise<void>;
}

type TransferPlatform = Pick<Platform, "files" | "randomHex" | "randomId" | "nowMicros">;

/** The transfers of a host. Names do not include the prefix `transfers/`. */
export class Transfers {
  readonly #platform: TransferPlatform;
  readonly #bounds: TransferLimits;
  readonly #directory: string;
  readonly #files: TransferFiles;
  readonly #quota: TransferQuota;
  readonly #entries = new Map<string, Entry>();
  /** Removals in progress by name. A new transfer of the same name waits for the removal. */
  readonly #removals = new Map<string, Promise<void>>();
  readonly #expiryTimer: NodeJS.Timeout;

  private constructor(
    platform: TransferPlatform,
    files: TransferFiles,
    records: readonly TransferRecord[],
    bounds: TransferLimits,
    onBackgroundError: (error: unknown) => void,
  ) {
    this.#platform = platform;
    this.#bounds = bounds;
    this.#directory = files.directory;
    this.#files = files;
    this.#quota = new TransferQuota({
      files: platform.files,
      directory: files.directory,
      bounds,
      records: () => [...this.#entries.values()].map(({ record }) => record),
    });
    for (const record of records) this.#addEntry(record);
    this.#expiryTimer = setInterval(
      () => void this.#removeExpired().catch(onBackgroundError),
      Math.min(limits.transferExpiryCheckMs, Math.max(10, bounds.leaseMs / 2)),
    );
    this.#expiryTimer.unref();
  }

  /**
   * Loads the transfers of a directory, and creates the directory if it does not exist.
   * `onBackgroundError` receives errors of cleaning up.
   */
  static async open(
    platform: TransferPlatform,
    directory: string,
    bounds: TransferLimits,
    onBackgroundError: (error: unknown) => void,
  ): Promise<Transfers> {
    const files = new TransferFiles(platform, directory);
    const onUnreadable = (path: string) =>
      onBackgroundError(
        new HostError(
          "STORAGE_FAILED",
          `Cannot read the record ${path} of a transfer. The transfer is unavailable, and its files are kept until it would have expired.`,
        ),
      );
    const records = await files.load(bounds.leaseMs, onUnreadable);
    return new Transfers(platform, files, records, bounds, onBackgroundError);
  }

  /** Returns a transfer. Throws TRANSFER_NOT_FOUND. */
  get(name: string): Transfer {
    return this.#view(this.#find(name));
  }

  /** Returns all transfers, sorted by name. */
  list(): Transfer[] {
    return [...this.#entries.values()]
      .map((entry) => this.#view(entry))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Aborts the streams of a transfer and removes its files. Throws TRANSFER_NOT_FOUND. */
  async delete(name: string): Promise<void> {
    await this.#remove(this.#find(name), "was deleted");
  }

  /** Reserves a transfer for a download of about `expectedBytes`. Throws TRANSFER_LIMIT or STORAGE_FULL. */
  async beginDownload(name: string, expectedBytes: number): Promise<DownloadDraft> {
    const release = this.#quota.reserveDraft();
    try {
      await this.#quota.checkSpaceToPack(expectedBytes);
    } catch (error) {
      release();
      throw error;
    }
    return {
      name,
      staging: join(this.#directory, `${temporaryPrefix}${name}.staging`),
      publish: async (archive, backup) => {
        const record = await this.#storeDownload(name, archive, backup);
        release();
        this.#addEntry(record);
      },
      release,
    };
  }

  /**
   * Opens an upload for writing, and creates it for an unknown name. Aborts an earlier stream of the
   * same upload, because its client has reconnected. Throws TRANSFER_LIMIT, TRANSFER_DAMAGED if
   * `sizeBytes` differs from the declared size, and STORAGE_FULL.
   */
  async openUpload(name: string, sizeBytes?: number): Promise<UploadWriter> {
    checkTransferName(name);
    const entry = this.#entries.get(name) ?? this.#createUpload(name);
    if (entry.record.direction === "download")
      throw new HostError(
        "REQUEST_INVALID",
        `The transfer ${name} is a download and does not accept data. Use another name.`,
        { metadata: { transfer: name } },
      );
    const stream = (entry.streams += 1);
    await entry.created;
    // A later stream is a newer attempt of the client.
    if (stream !== entry.streams) throw takenOver(name);
    return this.#openStream(entry, sizeBytes);
  }

  /** Holds a complete transfer. Throws TRANSFER_NOT_FOUND or TRANSFER_INCOMPLETE. */
  hold(name: string): HeldTransfer {
    const entry = this.#find(name);
    if (!entry.record.complete) {
      throw new HostError(
        "TRANSFER_INCOMPLETE",
        `The transfer ${name} is incomplete: ${entry.record.committedBytes} bytes were received. Send the rest first.`,
        { metadata: { transfer: name, committedBytes: String(entry.record.committedBytes) } },
      );
    }
    entry.holders += 1;
    let held = true;
    return {
      transfer: this.#view(entry),
      path: this.#files.dataPath(name),
      signal: entry.controller.signal,
      release() {
        if (held) entry.holders -= 1;
        held = false;
        entry.lastUsedMs = performance.now();
      },
    };
  }

  /** Returns a unique name for a transfer. */
  newName(): string {
    return this.#platform.randomId();
  }

  /** Returns the number of uploads with an open stream. */
  uploading(): number {
    return [...this.#entries.values()].filter(({ stream }) => stream !== undefined).length;
  }

  /** Aborts all uploads and waits for their end. */
  async close(): Promise<void> {
    clearInterval(this.#expiryTimer);
    for (const { stream } of this.#entries.values()) {
      stream?.controller.abort(
        new HostError(
          "SHUTTING_DOWN",
          "The host is shutting down. Resume the transfer when it is available again.",
        ),
      );
    }
    for (const { stream } of this.#entries.values()) await stream?.closed;
  }

  #addEntry(record: TransferRecord, created: Promise<void> = Promise.resolve()): Entry {
    const entry: Entry = {
      record,
      lastUsedMs: performance.now(),
      holders: 0,
      controller: new AbortController(),
      created,
      streams: 0,
    };
    this.#entries.set(record.name, entry);
    return entry;
  }

  #find(name: string): Entry {
    const entry = this.#entries.get(name);
    if (!entry)
      throw new HostError(
        "TRANSFER_NOT_FOUND",
        `Transfer ${name} not found (unknown or expired).`,
        { metadata: { transfer: name } },
      );
    return entry;
  }

  #view({ record, lastUsedMs }: Entry): Transfer {
    const leftMs = this.#bounds.leaseMs - (performance.now() - lastUsedMs);
    return {
      ...record,
      expireTimeMicros: this.#platform.nowMicros() + Math.round(Math.max(0, leftMs) * 1000),
    };
  }

  async #storeDownload(
    name: string,
    { path, sizeBytes, sha256 }: PackedArchive,
    backup: BackupDescription,
  ): Promise<TransferRecord> {
    await this.#quota.checkFreeSpace(undefined, sizeBytes);
    await publishFile(this.#platform, path, this.#files.dataPath(name));
    const record: TransferRecord = {
      name,
      direction: "download",
      sizeBytes,
      committedBytes: sizeBytes,
      complete: true,
      sha256,
      createTimeMicros: this.#platform.nowMicros(),
      backup,
    };
    await this.#files.writeRecord(record);
    return record;
  }

  #createUpload(name: string): Entry {
    this.#quota.checkCount();
    const record: TransferRecord = {
      name,
      direction: "upload",
      sizeBytes: 0,
      committedBytes: 0,
      complete: false,
      sha256: "",
      createTimeMicros: this.#platform.nowMicros(),
    };
    const created = this.#createFiles(record).catch(async (error: unknown) => {
      this.#entries.delete(name);
      await this.#files.remove(name).catch(() => {});
      throw error;
    });
    // `openUpload` awaits it.
    created.catch(() => {});
    return this.#addEntry(record, created);
  }

  async #createFiles(record: TransferRecord): Promise<void> {
    await this.#removals.get(record.name);
    const data = await this.#platform.files.create(this.#files.dataPath(record.name));
    await data.close();
    await this.#files.writeRecord(record);
  }

  /** Opens the only stream of an upload, after an earlier one has ended. */
  async #openStream(entry: Entry, sizeBytes: number | undefined): Promise<UploadWriter> {
    const previous = entry.stream;
    const controller = new AbortController();
    let closed = () => {};
    const stream = { controller, closed: new Promise<void>((resolve) => (closed = resolve)) };
    entry.stream = stream;
    const onClosed = async () => {
      if (entry.stream === stream) entry.stream = undefined;
      entry.lastUsedMs = performance.now();
      closed();
      await this.#removeEmpty(entry);
    };
    try {
      previous?.controller.abort(takenOver(entry.record.name));
      await previous?.closed;
      if (sizeBytes !== undefined && sizeBytes > 0) await this.#declareSize(entry, sizeBytes);
      const signal = AbortSignal.any([controller.signal, entry.controller.signal]);
      return await this.#openWriter(entry, signal, onClosed);
    } catch (error) {
      await onClosed();
      throw error;
    }
  }

  /** Records the size of an upload. A different declared size means a different archive. */
  async #declareSize(entry: Entry, sizeBytes: number): Promise<void> {
    const { name, sizeBytes: declared } = entry.record;
    if (declared !== 0 && declared !== sizeBytes) {
      throw new HostError(
        "TRANSFER_DAMAGED",
        `The transfer ${name} has a size of ${declared} bytes, not ${sizeBytes}: it is a different archive. Delete the transfer, or use another name.`,
        { metadata: { transfer: name } },
      );
    }
    await this.#quota.checkFreeSpace(name, sizeBytes);
    entry.record = { ...entry.record, sizeBytes };
  }

  #openWriter(
    entry: Entry,
    signal: AbortSignal,
    onClosed: () => Promise<void>,
  ): Promise<UploadWriter> {
    const { name, sizeBytes: declared, committedBytes } = entry.record;
    const keep = async (change: Partial<TransferRecord>) => {
      entry.record = { ...entry.record, ...change };
      await this.#files.writeRecord(entry.record);
    };
    let checkedBytes = 0;
    return UploadWriter.open({
      files: this.#platform.files,
      name,
      path: this.#files.dataPath(name),
      committedBytes,
      signal,
      checkFreeSpace: async (bytes) => {
        if (declared > 0 && bytes > declared) throw tooLarge(name, declared);
        this.#quota.checkTotalSize(name, bytes);
        if (bytes <= checkedBytes) return;
        await this.#quota.checkFreeSpace(name, bytes);
        checkedBytes = bytes + limits.transferSyncBytes;
      },
      onCommitted: (committed) => keep({ committedBytes: committed }),
      onComplete: (complete, sha256) =>
        keep({ committedBytes: complete, sizeBytes: complete, complete: true, sha256 }),
      onClosed,
    });
  }

  async #remove(entry: Entry, why: string): Promise<void> {
    const { name } = entry.record;
    this.#entries.delete(name);
    entry.controller.abort(
      new HostError("TRANSFER_TAKEN_OVER", `The transfer ${name} ${why}.`, {
        metadata: { transfer: name },
      }),
    );
    const removal = Promise.allSettled([entry.created, entry.stream?.closed]).then(() =>
      this.#files.remove(name),
    );
    const settled = removal
      .catch(() => {})
      .then(() => {
        if (this.#removals.get(name) === settled) this.#removals.delete(name);
      });
    this.#removals.set(name, settled);
    await removal;
  }

  /** Removes an empty upload, so that it does not count for the limits. */
  async #removeEmpty(entry: Entry): Promise<void> {
    const { name, committedBytes, complete } = entry.record;
    if (committedBytes > 0 || complete || inUse(entry)) return;
    if (this.#entries.get(name) === entry) await this.#remove(entry, "is empty");
  }

  async #removeExpired(): Promise<void> {
    for (const entry of [...this.#entries.values()]) {
      if (!inUse(entry) && performance.now() - entry.lastUsedMs > this.#bounds.leaseMs)
        await this.#remove(entry, "expired");
    }
  }
}

function inUse({ holders, stream }: Entry): boolean {
  return holders > 0 || stream !== undefined;
}

function takenOver(name: string): HostError {
  return new HostError("TRANSFER_TAKEN_OVER", `Another stream resumed the transfer ${name}.`, {
    metadata: { transfer: name },
  });
}

function tooLarge(name: string, sizeBytes: number): HostError {
  return new HostError(
    "TRANSFER_DAMAGED",
    `The transfer ${name} exceeds its declared size of ${sizeBytes} bytes. Delete the transfer and send it again.`,
    { metadata: { transfer: name } },
  );
}

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
import { transferFiles } from "./transfer-files.js";
import { openUploadWriter, type UploadWriter } from "./upload.js";

/** An archive that is being packed for a download. */
export interface DownloadDraft {
  readonly name: string;
  /** Path of a staging directory, which the caller creates. */
  readonly staging: string;
  /**
   * Moves the archive into the transfer and makes it readable. Throws STORAGE_FULL or
   * TRANSFER_LIMIT.
   */
  publish(
    archive: { path: string; sizeBytes: number; sha256: string },
    backup: BackupDescription,
  ): Promise<void>;
  /** Ends the draft. Does nothing after `publish`. */
  release(): void;
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

/** The transfers of a host. Names do not include the prefix `transfers/`. */
export interface Transfers {
  /** Returns a transfer. Throws TRANSFER_NOT_FOUND. */
  get(name: string): Transfer;
  /** Returns all transfers, sorted by name. */
  list(): Transfer[];
  /** Aborts the streams of a transfer and removes its files. Throws TRANSFER_NOT_FOUND. */
  delete(name: string): Promise<void>;
  /**
   * Reserves a transfer for a download of about `expectedBytes`. Throws TRANSFER_LIMIT or
   * STORAGE_FULL.
   */
  beginDownload(name: string, expectedBytes: number): Promise<DownloadDraft>;
  /**
   * Opens an upload for writing, and creates it for an unknown name. Aborts an earlier stream of the
   * same upload, because its client has reconnected. Throws TRANSFER_LIMIT, TRANSFER_DAMAGED if
   * `sizeBytes` differs from the declared size, and STORAGE_FULL.
   */
  openUpload(name: string, sizeBytes?: number): Promise<UploadWriter>;
  /** Holds a complete transfer. Throws TRANSFER_NOT_FOUND or TRANSFER_INCOMPLETE. */
  hold(name: string): HeldTransfer;
  /** Returns a unique name for a transfer. */
  newName(): string;
  /** Returns the number of uploads with an open stream. */
  uploading(): number;
  /** Aborts all uploads and waits for their end. */
  close(): Promise<void>;
}

interface Entry {
  record: TransferRecord;
  /** Time of the last use, as performance.now(). */
  lastUsedMs: number;
  holders: number;
  /** Aborts when the transfer is removed. */
  controller: AbortController;
  writer?: { controller: AbortController; closed: Promise<void> } | undefined;
  /** Settles when its files exist. */
  created: Promise<void>;
  /** Number of streams that were opened to upload it. Only the last one may write. */
  streams: number;
}

const tooLarge = (name: string, sizeBytes: number) =>
  new HostError(
    "TRANSFER_DAMAGED",
    `The transfer ${name} exceeds its declared size of ${sizeBytes} bytes. Delete the transfer and send it again.`,
    { metadata: { transfer: name } },
  );

/**
 * Loads the transfers of a directory, and creates the directory if it does not exist.
 * `onBackgroundError` receives errors of cleaning up.
 */
export async function openTransfers(
  platform: Pick<Platform, "files" | "randomHex" | "randomId" | "nowMicros">,
  directory: string,
  bounds: TransferLimits,
  onBackgroundError: (error: unknown) => void,
): Promise<Transfers> {
  const kept = transferFiles(platform, directory);
  const entries = new Map<string, Entry>();
  /** Removals in progress by name. A new transfer of the same name waits for the removal. */
  const removals = new Map<string, Promise<void>>();
  let drafts = 0;
  const addEntry = (record: TransferRecord, created: Promise<void> = Promise.resolve()): Entry => {
    const entry: Entry = {
      record,
      lastUsedMs: performance.now(),
      holders: 0,
      controller: new AbortController(),
      created,
      streams: 0,
    };
    entries.set(record.name, entry);
    return entry;
  };
  const onUnreadable = (path: string) =>
    onBackgroundError(
      new HostError(
        "STORAGE_FAILED",
        `Cannot read the record ${path} of a transfer. The transfer is unavailable, and its files are kept until it would have expired.`,
      ),
    );
  for (const record of await kept.load(bounds.leaseMs, onUnreadable)) addEntry(record);

  const inUse = ({ holders, writer }: Entry) => holders > 0 || writer !== undefined;

  function view({ record, lastUsedMs }: Entry): Transfer {
    const leftMs = bounds.leaseMs - (performance.now() - lastUsedMs);
    return {
      ...record,
      expireTimeMicros: platform.nowMicros() + Math.round(Math.max(0, leftMs) * 1000),
    };
  }

  function find(name: string): Entry {
    const entry = entries.get(name);
    if (!entry)
      throw new HostError(
        "TRANSFER_NOT_FOUND",
        `Transfer ${name} not found (unknown or expired).`,
        { metadata: { transfer: name } },
      );
    return entry;
  }

  function checkCount(): void {
    if (entries.size + drafts < bounds.maxCount) return;
    throw new HostError(
      "TRANSFER_LIMIT",
      `The limit of ${bounds.maxCount} transfers is reached. Delete one, or wait until one expires.`,
    );
  }

  /** A different declared size means a different archive. */
  function checkDeclared({ record }: Entry, sizeBytes: number): void {
    if (record.sizeBytes === 0 || record.sizeBytes === sizeBytes) return;
    throw new HostError(
      "TRANSFER_DAMAGED",
      `The transfer ${record.name} has a size of ${record.sizeBytes} bytes, not ${sizeBytes}: it is a different archive. Delete the transfer, or use another name.`,
      {
        metadata: { transfer: record.name },
      },
    );
  }

  function checkTotalSize(own: string | undefined, bytes: number): void {
    const others = [...entries.values()].reduce(
      (sum, { record }) =>
        sum + (record.name === own ? 0 : Math.max(record.sizeBytes, record.committedBytes)),
      0,
    );
    if (others + bytes > bounds.maxBytes) {
      throw new HostError(
        "TRANSFER_LIMIT",
        `The transfers would take ${others + bytes} bytes in total, and the limit is ${bounds.maxBytes} bytes. Delete one, or wait until one expires.`,
      );
    }
  }

  async function checkFreeSpace(own: string | undefined, bytes: number): Promise<void> {
    checkTotalSize(own, bytes);
    const free = await platform.files.freeBytes(directory);
    const present = own === undefined ? 0 : (entries.get(own)?.record.committedBytes ?? 0);
    if (bytes - present > free - limits.transferReserveBytes) {
      throw new HostError(
        "STORAGE_FULL",
        `The transfer needs ${bytes - present} more bytes. ${free} bytes are free on the disk of the index, of which ${limits.transferReserveBytes} are reserved. Free space and try again.`,
      );
    }
  }

  async function remove(entry: Entry, why: string): Promise<void> {
    const { name } = entry.record;
    entries.delete(name);
    entry.controller.abort(
      new HostError("TRANSFER_TAKEN_OVER", `The transfer ${name} ${why}.`, {
        metadata: { transfer: name },
      }),
    );
    const removal = Promise.allSettled([entry.created, entry.writer?.closed]).then(() =>
      kept.remove(name),
    );
    const settled = removal
      .catch(() => {})
      .then(() => {
        if (removals.get(name) === settled) removals.delete(name);
      });
    removals.set(name, settled);
    await removal;
  }

  /** Removes an empty upload, so that it does not count for the limits. */
  async function removeEmpty(entry: Entry): Promise<void> {
    const { name, committedBytes, complete } = entry.record;
    if (committedBytes === 0 && !complete && !inUse(entry) && entries.get(name) === entry)
      await remove(entry, "is empty");
  }

  async function removeExpired(): Promise<void> {
    for (const entry of [...entries.values()]) {
      if (!inUse(entry) && performance.now() - entry.lastUsedMs > bounds.leaseMs)
        await remove(entry, "expired");
    }
  }
  const timer = setInterval(
    () => void removeExpired().catch(onBackgroundError),
    Math.min(limits.transferExpiryCheckMs, Math.max(10, bounds.leaseMs / 2)),
  );
  timer.unref();

  function createUpload(name: string): Entry {
    checkCount();
    const record: TransferRecord = {
      name,
      direction: "upload",
      sizeBytes: 0,
      committedBytes: 0,
      complete: false,
      sha256: "",
      createTimeMicros: platform.nowMicros(),
    };
    const created = createFiles(record).catch(async (error: unknown) => {
      entries.delete(name);
      await kept.remove(name).catch(() => {});
      throw error;
    });
    // `openUpload` awaits it.
    created.catch(() => {});
    return addEntry(record, created);
  }

  async function createFiles(record: TransferRecord): Promise<void> {
    await removals.get(record.name);
    await (await platform.files.create(kept.dataPath(record.name))).close();
    await kept.writeRecord(record);
  }

  const takenOver = (name: string) =>
    new HostError("TRANSFER_TAKEN_OVER", `Another stream resumed the transfer ${name}.`, {
      metadata: { transfer: name },
    });

  async function write(entry: Entry, sizeBytes: number | undefined): Promise<UploadWriter> {
    const { name } = entry.record;
    const previous = entry.writer;
    const controller = new AbortController();
    let closed = () => {};
    const writer = { controller, closed: new Promise<void>((resolve) => (closed = resolve)) };
    entry.writer = writer;
    const done = () => {
      if (entry.writer === writer) entry.writer = undefined;
      entry.lastUsedMs = performance.now();
      closed();
    };
    try {
      previous?.controller.abort(takenOver(name));
      await previous?.closed;
      if (sizeBytes !== undefined && sizeBytes > 0) {
        checkDeclared(entry, sizeBytes);
        await checkFreeSpace(name, sizeBytes);
        entry.record = { ...entry.record, sizeBytes };
      }
      const signal = AbortSignal.any([controller.signal, entry.controller.signal]);
      const keep = async (change: Partial<TransferRecord>) => {
        entry.record = { ...entry.record, ...change };
        await kept.writeRecord(entry.record);
      };
      let checkedBytes = 0;
      const declared = entry.record.sizeBytes;
      const inner = await openUploadWriter({
        files: platform.files,
        name,
        path: kept.dataPath(name),
        committedBytes: entry.record.committedBytes,
        signal,
        async checkFreeSpace(bytes) {
          if (declared > 0 && bytes > declared) throw tooLarge(name, declared);
          checkTotalSize(name, bytes);
          if (bytes <= checkedBytes) return;
          await checkFreeSpace(name, bytes);
          checkedBytes = bytes + limits.transferSyncBytes;
        },
        onCommitted: (committedBytes) => keep({ committedBytes }),
        onComplete: (complete, sha256) =>
          keep({ committedBytes: complete, sizeBytes: complete, complete: true, sha256 }),
      });
      return {
        signal,
        get position() {
          return inner.position;
        },
        write: inner.write,
        finish: inner.finish,
        async close() {
          try {
            await inner.close();
          } finally {
            done();
            await removeEmpty(entry);
          }
        },
      };
    } catch (error) {
      done();
      await removeEmpty(entry);
      throw error;
    }
  }

  return {
    get: (name) => view(find(name)),
    list: () => [...entries.values()].map(view).sort((a, b) => (a.name < b.name ? -1 : 1)),
    delete: async (name) => remove(find(name), "was deleted"),
    newName: () => platform.randomId(),
    uploading: () => [...entries.values()].filter(({ writer }) => writer !== undefined).length,
    async beginDownload(name, expectedBytes) {
      checkCount();
      drafts += 1;
      let released = false;
      const release = () => {
        if (!released) drafts -= 1;
        released = true;
      };
      try {
        // The segments and the archive exist at the same time.
        const free = await platform.files.freeBytes(directory);
        if (expectedBytes * 2 > free - limits.transferReserveBytes) {
          throw new HostError(
            "STORAGE_FULL",
            `Packing the archive needs up to ${expectedBytes * 2} bytes. ${free} bytes are free on the disk of the index, of which ${limits.transferReserveBytes} are reserved. Free space and try again.`,
          );
        }
      } catch (error) {
        release();
        throw error;
      }
      return {
        name,
        staging: join(directory, `${temporaryPrefix}${name}.staging`),
        async publish({ path, sizeBytes, sha256 }, backup) {
          await checkFreeSpace(undefined, sizeBytes);
          await publishFile(platform, path, kept.dataPath(name));
          const record: TransferRecord = {
            name,
            direction: "download",
            sizeBytes,
            committedBytes: sizeBytes,
            complete: true,
            sha256,
            createTimeMicros: platform.nowMicros(),
            backup,
          };
          await kept.writeRecord(record);
          release();
          addEntry(record);
        },
        release,
      };
    },
    async openUpload(name, sizeBytes) {
      checkTransferName(name);
      const entry = entries.get(name) ?? createUpload(name);
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
      return write(entry, sizeBytes);
    },
    hold(name) {
      const entry = find(name);
      if (!entry.record.complete) {
        throw new HostError(
          "TRANSFER_INCOMPLETE",
          `The transfer ${name} is incomplete: ${entry.record.committedBytes} bytes were received. Send the rest first.`,
          {
            metadata: { transfer: name, committedBytes: String(entry.record.committedBytes) },
          },
        );
      }
      entry.holders += 1;
      let held = true;
      return {
        transfer: view(entry),
        path: kept.dataPath(name),
        signal: entry.controller.signal,
        release() {
          if (held) entry.holders -= 1;
          held = false;
          entry.lastUsedMs = performance.now();
        },
      };
    },
    async close() {
      clearInterval(timer);
      for (const { writer } of entries.values()) {
        writer?.controller.abort(
          new HostError(
            "SHUTTING_DOWN",
            "The host is shutting down. Resume the transfer when it is available again.",
          ),
        );
      }
      for (const { writer } of entries.values()) await writer?.closed;
    },
  };
}

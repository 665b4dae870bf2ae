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

/** The archive of a download while it is made. */
export interface DownloadDraft {
  readonly name: string;
  /** A directory for what it is made of, which does not exist yet. */
  readonly staging: string;
  /** Makes the archive a transfer that can be read. */
  publish(
    archive: { path: string; sizeBytes: number; sha256: string },
    backup: BackupDescription,
  ): Promise<void>;
  release(): void;
}

/** A complete archive, kept for as long as it is held. */
export interface HeldTransfer {
  readonly transfer: Transfer;
  readonly path: string;
  /** Aborts when the transfer is deleted. */
  readonly signal: AbortSignal;
  release(): void;
}

/** The archives that a host keeps for those who fetch or send them. Names are without transfers/. */
export interface Transfers {
  /** TRANSFER_NOT_FOUND for an unknown name. */
  get(name: string): Transfer;
  /** By name. */
  list(): Transfer[];
  /** Ends its streams, and frees what it takes. */
  delete(name: string): Promise<void>;
  /** TRANSFER_LIMIT where there are too many, or no room for about so many bytes. */
  beginDownload(name: string, expectedBytes: number): Promise<DownloadDraft>;
  /** Opens an upload, a new one for an unknown name. An earlier stream of it is ended: its sender has come back. */
  openUpload(name: string, sizeBytes?: number): Promise<UploadWriter>;
  /** TRANSFER_INCOMPLETE where not all of it is there. */
  hold(name: string): HeldTransfer;
  newName(): string;
  /** How many uploads are being sent. */
  uploading(): number;
  close(): Promise<void>;
}

interface Entry {
  record: TransferRecord;
  touchedMs: number;
  holders: number;
  /** Ends everybody who works with it. */
  controller: AbortController;
  writer?: { controller: AbortController; closed: Promise<void> } | undefined;
  /** Settles when its files are there. */
  made: Promise<void>;
  /** How many streams have come to send it: the last one to come is the one that does. */
  senders: number;
}

const tooMuch = (name: string, sizeBytes: number) =>
  new HostError(
    "TRANSFER_DAMAGED",
    `The transfer ${name} was said to have ${sizeBytes} bytes, and more came.`,
    { metadata: { transfer: name } },
  );

/** Opens the transfers of a directory, which is made if it is missing; those of an earlier run are there again. */
export async function openTransfers(
  platform: Pick<Platform, "files" | "randomHex" | "randomId" | "nowMicros">,
  directory: string,
  bounds: TransferLimits,
  onBackgroundError: (error: unknown) => void,
): Promise<Transfers> {
  const kept = transferFiles(platform, directory);
  const entries = new Map<string, Entry>();
  /** Transfers whose files are being removed: one of the same name begins after that. */
  const removals = new Map<string, Promise<void>>();
  let drafts = 0;
  const enter = (record: TransferRecord, made: Promise<void> = Promise.resolve()): Entry => {
    const entry: Entry = {
      record,
      touchedMs: performance.now(),
      holders: 0,
      controller: new AbortController(),
      made,
      senders: 0,
    };
    entries.set(record.name, entry);
    return entry;
  };
  const onUnreadable = (path: string) =>
    onBackgroundError(
      new HostError(
        "STORAGE_FAILED",
        `The record of a transfer, ${path}, cannot be read: the transfer is not served. Its bytes stay beside it until its lease would have ended.`,
      ),
    );
  for (const record of await kept.load(bounds.leaseMs, onUnreadable)) enter(record);

  const inUse = ({ holders, writer }: Entry) => holders > 0 || writer !== undefined;

  function view({ record, touchedMs }: Entry): Transfer {
    const leftMs = bounds.leaseMs - (performance.now() - touchedMs);
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
        `There is no transfer ${name}: it never was, or it expired.`,
        { metadata: { transfer: name } },
      );
    return entry;
  }

  function checkCount(): void {
    if (entries.size + drafts < bounds.maxCount) return;
    throw new HostError(
      "TRANSFER_LIMIT",
      `There are ${entries.size + drafts} transfers, as many as the host keeps; delete one, or wait until one expires.`,
    );
  }

  /** What was said of a transfer stays: another size is another archive, whatever its name. */
  function checkDeclared({ record }: Entry, sizeBytes: number): void {
    if (record.sizeBytes === 0 || record.sizeBytes === sizeBytes) return;
    throw new HostError(
      "TRANSFER_DAMAGED",
      `The transfer ${record.name} has ${record.sizeBytes} bytes, not ${sizeBytes}: that is another archive. Delete the transfer, or choose another name.`,
      {
        metadata: { transfer: record.name },
      },
    );
  }

  function checkSpace(own: string | undefined, bytes: number): void {
    const others = [...entries.values()].reduce(
      (sum, { record }) =>
        sum + (record.name === own ? 0 : Math.max(record.sizeBytes, record.committedBytes)),
      0,
    );
    if (others + bytes > bounds.maxBytes) {
      throw new HostError(
        "TRANSFER_LIMIT",
        `The transfers would take ${others + bytes} bytes together, and ${bounds.maxBytes} are allowed; delete one, or wait until one expires.`,
      );
    }
  }

  async function checkRoom(own: string | undefined, bytes: number): Promise<void> {
    checkSpace(own, bytes);
    const free = await platform.files.freeBytes(directory);
    const present = own === undefined ? 0 : (entries.get(own)?.record.committedBytes ?? 0);
    if (bytes - present > free - limits.transferReserveBytes) {
      throw new HostError(
        "STORAGE_FULL",
        `The transfer needs ${bytes - present} more bytes, and ${free} are free on the disk of the index, of which ${limits.transferReserveBytes} stay free.`,
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
    const removal = Promise.allSettled([entry.made, entry.writer?.closed]).then(() =>
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

  /** An upload of which nothing has come takes no place, and what it said of its size no room. */
  async function forgetEmpty(entry: Entry): Promise<void> {
    const { name, committedBytes, complete } = entry.record;
    if (committedBytes === 0 && !complete && !inUse(entry) && entries.get(name) === entry)
      await remove(entry, "has no bytes");
  }

  async function sweep(): Promise<void> {
    for (const entry of [...entries.values()]) {
      if (!inUse(entry) && performance.now() - entry.touchedMs > bounds.leaseMs)
        await remove(entry, "expired");
    }
  }
  const timer = setInterval(
    () => void sweep().catch(onBackgroundError),
    Math.min(limits.transferExpiryCheckMs, Math.max(10, bounds.leaseMs / 2)),
  );
  timer.unref();

  function begin(name: string): Entry {
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
    const made = makeFiles(record).catch(async (error: unknown) => {
      entries.delete(name);
      await kept.remove(name).catch(() => {});
      throw error;
    });
    // Whoever sends it awaits it.
    made.catch(() => {});
    return enter(record, made);
  }

  async function makeFiles(record: TransferRecord): Promise<void> {
    await removals.get(record.name);
    await (await platform.files.create(kept.dataPath(record.name))).close();
    await kept.writeRecord(record);
  }

  const takenOver = (name: string) =>
    new HostError("TRANSFER_TAKEN_OVER", `Another stream goes on with the transfer ${name}.`, {
      metadata: { transfer: name },
    });

  async function write(entry: Entry, sizeBytes: number | undefined): Promise<UploadWriter> {
    const { name } = entry.record;
    const before = entry.writer;
    const controller = new AbortController();
    let closed = () => {};
    const writer = { controller, closed: new Promise<void>((resolve) => (closed = resolve)) };
    entry.writer = writer;
    const done = () => {
      if (entry.writer === writer) entry.writer = undefined;
      entry.touchedMs = performance.now();
      closed();
    };
    try {
      before?.controller.abort(takenOver(name));
      await before?.closed;
      if (sizeBytes !== undefined && sizeBytes > 0) {
        checkDeclared(entry, sizeBytes);
        await checkRoom(name, sizeBytes);
        entry.record = { ...entry.record, sizeBytes };
      }
      const signal = AbortSignal.any([controller.signal, entry.controller.signal]);
      const keep = async (change: Partial<TransferRecord>) => {
        entry.record = { ...entry.record, ...change };
        await kept.writeRecord(entry.record);
      };
      let roomFor = 0;
      const declared = entry.record.sizeBytes;
      const inner = await openUploadWriter({
        files: platform.files,
        name,
        path: kept.dataPath(name),
        committedBytes: entry.record.committedBytes,
        signal,
        async checkRoom(bytes) {
          if (declared > 0 && bytes > declared) throw tooMuch(name, declared);
          checkSpace(name, bytes);
          if (bytes <= roomFor) return;
          await checkRoom(name, bytes);
          roomFor = bytes + limits.transferSyncBytes;
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
            await forgetEmpty(entry);
          }
        },
      };
    } catch (error) {
      done();
      await forgetEmpty(entry);
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
        // Its segments and then the archive of them lie there side by side.
        const free = await platform.files.freeBytes(directory);
        if (expectedBytes * 2 > free - limits.transferReserveBytes) {
          throw new HostError(
            "STORAGE_FULL",
            `The archive may take ${expectedBytes * 2} bytes while it is made, and ${free} are free on the disk of the index.`,
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
          await checkRoom(undefined, sizeBytes);
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
          enter(record);
        },
        release,
      };
    },
    async openUpload(name, sizeBytes) {
      checkTransferName(name);
      const entry = entries.get(name) ?? begin(name);
      if (entry.record.direction === "download")
        throw new HostError(
          "REQUEST_INVALID",
          `The transfer ${name} is a download: nothing can be sent to it.`,
          { metadata: { transfer: name } },
        );
      const sender = (entry.senders += 1);
      await entry.made;
      // One that came later, while this one waited, is the sender's newer attempt.
      if (sender !== entry.senders) throw takenOver(name);
      return write(entry, sizeBytes);
    },
    hold(name) {
      const entry = find(name);
      if (!entry.record.complete) {
        throw new HostError(
          "TRANSFER_INCOMPLETE",
          `The transfer ${name} is not complete: ${entry.record.committedBytes} bytes of it are here.`,
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
          entry.touchedMs = performance.now();
        },
      };
    },
    async close() {
      clearInterval(timer);
      for (const { writer } of entries.values()) {
        writer?.controller.abort(
          new HostError(
            "SHUTTING_DOWN",
            "The host is stopping; go on with the transfer once it is back.",
          ),
        );
      }
      for (const { writer } of entries.values()) await writer?.closed;
    },
  };
}

import { HostError } from "../../errors.js";
import type { FileSystem } from "../../io/file-system.js";
import { limits } from "../../limits.js";
import type { TransferLimits, TransferRecord } from "./transfer.js";

/** Options of a TransferQuota. */
export interface TransferQuotaOptions {
  files: FileSystem;
  /** The directory of the transfers, whose disk must have enough free space. */
  directory: string;
  bounds: TransferLimits;
  /** Returns the records of all transfers. */
  records(): readonly TransferRecord[];
}

/** Enforces the limits of the transfers of a host: their number, their total size and the free disk space. */
export class TransferQuota {
  readonly #options: TransferQuotaOptions;
  /** Downloads that are being packed. They have no record yet. */
  #drafts = 0;

  constructor(options: TransferQuotaOptions) {
    this.#options = options;
  }

  /** Throws TRANSFER_LIMIT if there is no room for one more transfer. */
  checkCount(): void {
    const { bounds, records } = this.#options;
    if (records().length + this.#drafts < bounds.maxCount) return;
    throw new HostError(
      "TRANSFER_LIMIT",
      `The limit of ${bounds.maxCount} transfers is reached. Delete one, or wait until one expires.`,
    );
  }

  /** Counts a download until the returned function is called. Throws TRANSFER_LIMIT. */
  reserveDraft(): () => void {
    this.checkCount();
    this.#drafts += 1;
    let released = false;
    return () => {
      if (!released) this.#drafts -= 1;
      released = true;
    };
  }

  /** Throws TRANSFER_LIMIT if all transfers exceed the total size once the transfer `own` has `bytes` bytes. */
  checkTotalSize(own: string | undefined, bytes: number): void {
    const { bounds, records } = this.#options;
    const others = records().reduce(
      (sum, { name, sizeBytes, committedBytes }) =>
        sum + (name === own ? 0 : Math.max(sizeBytes, committedBytes)),
      0,
    );
    if (others + bytes > bounds.maxBytes) {
      throw new HostError(
        "TRANSFER_LIMIT",
        `The transfers would take ${others + bytes} bytes in total, and the limit is ${bounds.maxBytes} bytes. Delete one, or wait until one expires.`,
      );
    }
  }

  /** Checks the total size, and throws STORAGE_FULL if the disk has no room for `bytes` bytes of the transfer `own`. */
  async checkFreeSpace(own: string | undefined, bytes: number): Promise<void> {
    this.checkTotalSize(own, bytes);
    const free = await this.#freeBytes();
    const present = this.#options.records().find(({ name }) => name === own)?.committedBytes ?? 0;
    if (bytes - present > free - limits.transferReserveBytes) {
      throw new HostError(
        "STORAGE_FULL",
        `The transfer needs ${bytes - present} more bytes. ${free} bytes are free on the disk of the index, of which ${limits.transferReserveBytes} are reserved. Free space and try again.`,
      );
    }
  }

  /** Throws STORAGE_FULL if the disk has no room to pack an archive of `expectedBytes`. */
  async checkSpaceToPack(expectedBytes: number): Promise<void> {
    // The segments and the archive exist at the same time.
    const free = await this.#freeBytes();
    if (expectedBytes * 2 > free - limits.transferReserveBytes) {
      throw new HostError(
        "STORAGE_FULL",
        `Packing the archive needs up to ${expectedBytes * 2} bytes. ${free} bytes are free on the disk of the index, of which ${limits.transferReserveBytes} are reserved. Free space and try again.`,
      );
    }
  }

  #freeBytes(): Promise<number> {
    return this.#options.files.freeBytes(this.#options.directory);
  }
}

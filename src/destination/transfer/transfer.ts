import type { BackupDescription } from "../../segment/description.js";
import { HostError } from "../../errors.js";

/** An archive on its way from or to a host: a file that is kept until it was unused for a while, across restarts too. */
export interface Transfer {
  /** 1 to 64 letters, digits, dots, dashes and underscores. */
  name: string;
  direction: "download" | "upload";
  /** 0 while it is not known. */
  sizeBytes: number;
  /** How much of it is safe on the disk: where an upload is to go on. */
  committedBytes: number;
  complete: boolean;
  /** In lower-case hexadecimal; empty while it is not complete. */
  sha256: string;
  createTimeMicros: number;
  /** When it is removed if it is not used before. */
  expireTimeMicros: number;
  /** The backup in it; of downloads alone. */
  backup?: BackupDescription;
}

/** What is kept of a transfer beside its bytes. */
export type TransferRecord = Omit<Transfer, "expireTimeMicros">;

export interface TransferLimits {
  /** How many there may be. */
  maxCount: number;
  /** What they may take together. */
  maxBytes: number;
  /** How long an unused one is kept. */
  leaseMs: number;
}

/** REQUEST_INVALID for what is no name of a transfer. */
export function checkTransferName(text: string): void {
  if (isTransferName(text)) return;
  throw new HostError(
    "REQUEST_INVALID",
    `${JSON.stringify(text.slice(0, 100))} is no name for a transfer: 1 to 64 letters, digits, dots, dashes and underscores.`,
    { metadata: { field: "name" } },
  );
}

export function isTransferName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text);
}

import type { BackupDescription } from "../../segment/description.js";
import { HostError } from "../../errors.js";

/**
 * An archive that a client downloads or uploads. The host keeps its file until it expires, also
 * across restarts.
 */
export interface Transfer {
  /** 1 to 64 letters, digits, dots, dashes and underscores; the first is a letter or digit. */
  name: string;
  direction: "download" | "upload";
  /** 0 if unknown. */
  sizeBytes: number;
  /** Bytes that are durable. An interrupted upload resumes at this offset. */
  committedBytes: number;
  complete: boolean;
  /** In lower-case hexadecimal; empty until the transfer is complete. */
  sha256: string;
  createTimeMicros: number;
  /** When the host removes the transfer if it is not used before. */
  expireTimeMicros: number;
  /** The backup in the archive. Only for downloads. */
  backup?: BackupDescription;
}

/** The record of a transfer on disk, beside its bytes. */
export type TransferRecord = Omit<Transfer, "expireTimeMicros">;

/** Limits of the transfers of a host. */
export interface TransferLimits {
  /** Number of transfers. */
  maxCount: number;
  /** Total size. */
  maxBytes: number;
  /** Time without use after which a transfer expires. */
  leaseMs: number;
}

/** Throws REQUEST_INVALID unless the text is a valid transfer name. */
export function checkTransferName(text: string): void {
  if (isTransferName(text)) return;
  throw new HostError(
    "REQUEST_INVALID",
    `Invalid transfer name ${JSON.stringify(text.slice(0, 100))}: use 1 to 64 letters, digits, dots, dashes and underscores.`,
    { metadata: { field: "name" } },
  );
}

/** Whether a text is a valid transfer name. */
export function isTransferName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text);
}

/** Scheme of the URIs of transfers, with the colon. */
export const transferScheme = "transfer:";

/** Returns the URI of a transfer, `transfer:NAME`. */
export function transferUri(name: string): string {
  return `${transferScheme}${name}`;
}

/** Returns the name in a `transfer:NAME` URI. Throws DESTINATION_INVALID for another URI. */
export function transferNameOf(uri: string): string {
  const name = uri.slice(transferScheme.length);
  if (uri.slice(0, transferScheme.length).toLowerCase() === transferScheme && isTransferName(name))
    return name;
  throw new HostError(
    "DESTINATION_INVALID",
    `Invalid transfer URI ${JSON.stringify(uri.slice(0, 100))}: use transfer:NAME.`,
    { metadata: { field: "source" } },
  );
}

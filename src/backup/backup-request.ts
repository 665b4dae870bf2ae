import type { EncryptTo } from "../encoding/encoding-call.js";
import type { Compression } from "../segment/format.js";
import type { Retention } from "../destination/destination.js";
import type { BackupDescription, ContainerKind } from "../segment/description.js";

/** Encryption of a backup. */
export interface EncryptionRequest {
  /** Default: those of the host. A passphrase is never logged or returned. */
  encryptTo?: EncryptTo;
  /** DIRECTORY: continues a chain that is encrypted otherwise, or not at all. */
  keepChain?: boolean;
  /** Writes in the clear although the host has recipients or the chain is encrypted. */
  disabled?: boolean;
}

/** Request for a backup. */
export interface BackupRequest {
  /** URI of the destination, as requested: file:, http:, https:, s3: or transfer:. */
  destination: string;
  container: ContainerKind;
  indexLink: string;
  /** ZIP: stores files without compression. */
  store?: boolean;
  /** DIRECTORY: writes a new base instead of a delta. */
  full?: boolean;
  /** DIRECTORY: keeps earlier backups of the same history, for retention to decide on. Default: they are removed. */
  keepEarlier?: boolean;
  /** Name of the policy that the backup belongs to. */
  policy?: string;
  requestId?: string;
  validateOnly?: boolean;
  /** http(s): bearer token, sent only to the origin of the destination. Never logged or returned. */
  bearer?: string;
  /** http(s): whether to read back the upload. Default: yes, with a warning if the destination does not allow reading. */
  verify?: boolean;
  /** s3: until when, and how, the store locks the files of the backup. Default: no lock. */
  retention?: Retention;
  /** Default: the recipients of the host, if it has any. */
  encryption?: EncryptionRequest;
  /** DIRECTORY: compression of new segments. Default: none in a local directory, otherwise the best that Node has. */
  compression?: Compression;
  /** transfer: SHA-256 of the manifest of an earlier backup; the archive contains only what was written after it. */
  since?: string;
}

/** Dry-run plan of a backup. */
export interface BackupDryRunPlan {
  kind: "UNCHANGED" | "BASE" | "DELTA";
  reason: string;
  records: number;
  estimatedBytes: number;
  /** Free bytes at the destination; absent if not known. */
  freeBytes?: number;
  expectedMicros?: number;
  replacedBackups: string[];
}

/** Result of a backup, or of its dry run. */
export interface BackupResult {
  backup: BackupDescription;
  /** Bytes and segments that this backup added to the destination. */
  bytesWritten: number;
  segmentsWritten: number;
  /** False only if the destination cannot be read, with a warning. */
  verified: boolean;
  /** DIRECTORY: whether the destination had no backup of this index. */
  foundNone?: boolean;
  warnings: string[];
  /** Only with validateOnly. */
  plan?: BackupDryRunPlan;
}

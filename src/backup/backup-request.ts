import type { BackupDescription, ContainerKind } from "../segment/description.js";

export interface BackupRequest {
  /** A file:, http: or https: URI, as it came. */
  destination: string;
  container: ContainerKind;
  indexLink: string;
  /** ZIP: store instead of deflate. */
  store?: boolean;
  /** DIRECTORY: a new base even where a delta would do. */
  full?: boolean;
  requestId?: string;
  validateOnly?: boolean;
  /** http(s): sent as Authorization: Bearer to the destination's own origin alone; in no answer and no log. */
  bearer?: string;
  /** http(s): whether to read back what was sent. Default: yes, with a warning if the destination does not allow reading. */
  verify?: boolean;
  /** transfer: alone: the SHA-256 of the manifest after which the backup begins. */
  since?: string;
}

/** What a backup would do. */
export interface BackupDryRunPlan {
  kind: "UNCHANGED" | "BASE" | "DELTA";
  reason: string;
  records: number;
  estimatedBytes: number;
  /** Free bytes at the destination, where they are known. */
  freeBytes?: number;
  expectedMicros?: number;
  replacedBackups: string[];
}

export interface BackupResult {
  backup: BackupDescription;
  /** What this run added. */
  bytesWritten: number;
  segmentsWritten: number;
  /** False only where the destination cannot be read back; the warnings say so. */
  verified: boolean;
  warnings: string[];
  /** Of validateOnly. */
  plan?: BackupDryRunPlan;
}

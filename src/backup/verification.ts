import type { BackupDescription } from "../segment/description.js";

/** How far a backup is checked; each level has what the one before has. */
export type VerifyLevel = "METADATA" | "SAMPLE" | "FULL" | "TEST_RESTORE";

export interface VerifyDepth {
  level: VerifyLevel;
  /** SAMPLE: how many of a hundred rows. */
  samplePercent: number;
}

export interface VerifyResult {
  backup: BackupDescription;
  level: VerifyLevel;
  records: number;
  bytes: number;
  /** Of a trial: what it restored. */
  documents?: number;
  versions?: number;
}

/** What a check of a backup found. */
export interface Verification {
  level: VerifyLevel;
  timeMicros: number;
  passed: boolean;
  /** What differs from what was written. */
  problem?: string;
  records: number;
}

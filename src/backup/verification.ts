import type { DecryptWith } from "../encoding/encoding-call.js";
import type { BackupDescription } from "../segment/description.js";

/** Extent of a verification. Each level includes the previous one. */
export type VerifyLevel = "METADATA" | "SAMPLE" | "FULL" | "TEST_RESTORE";

/** Requested extent of a verification. */
export interface VerifyDepth {
  level: VerifyLevel;
  /** SAMPLE: percentage of rows to read, 1 to 100. */
  samplePercent: number;
  /** Keys for an encrypted backup. */
  decryptWith?: DecryptWith | undefined;
  /** TEST_RESTORE: compares each document with the live index. Default: only with the manifest. */
  compare?: boolean;
  /** Name of the policy that verifies. Default: a client does. */
  policy?: string | undefined;
}

/** Result of a successful verification. */
export interface VerifyResult {
  backup: BackupDescription;
  level: VerifyLevel;
  records: number;
  bytes: number;
  /** TEST_RESTORE: whether each document was compared with the live index. */
  compared?: boolean;
  /** TEST_RESTORE: duration without the comparison. */
  restoreMicros?: number;
  /** TEST_RESTORE: numbers of restored documents and versions. */
  documents?: number;
  versions?: number;
  /** About the choice of the backup. */
  warnings: string[];
}

/** Recorded result of a verification. */
export interface Verification {
  level: VerifyLevel;
  timeMicros: number;
  passed: boolean;
  /** What is damaged; absent if the verification passed. */
  problem?: string;
  records: number;
  /** Host that verified, if it was kept beside the backup. Default: this one. */
  hostId?: string;
  /** TEST_RESTORE: as in VerifyResult. */
  documents?: number;
  restoreMicros?: number;
  compared?: boolean;
}

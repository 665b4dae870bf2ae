import { randomBytes, randomUUID } from "node:crypto";
import type { AutoBackupPace } from "./auto-backup-options.js";
import type { FileSystem } from "./file-system.js";
import type { LeaseOptions } from "./lease-options.js";
import { nodeFileSystem } from "./node-file-system.js";
import type { TransferOptions } from "./transfer-options.js";

/** Points of a backup and of a restore at which a test may stop or kill the process. */
export type FailpointName =
  | "backup:snapshot-taken"
  | "backup:segment-staged"
  | "backup:segment-renamed"
  | "backup:segment-read-back"
  | "backup:archive-read-back"
  | "backup:manifest-written"
  | "backup:unused-removed"
  | "restore:source-fetched"
  | "restore:built"
  | "restore:writes-fenced"
  | "restore:pointer-written"
  | "restore:switched"
  | "undo:identity-written";

/** What the host takes from its surroundings; tests put their own in place. */
export interface Platform {
  files: FileSystem;
  /** Microseconds since 1970. */
  nowMicros(): number;
  /** A random lower-case hex string of this many bytes. */
  randomHex(bytes: number): string;
  randomId(): string;
  failpoint(name: FailpointName): Promise<void>;
  /** How leases beat and how long a silent one stands; absent: as in limits.ts. */
  lease?: LeaseOptions;
  /** How often automatic backups run; absent: as in limits.ts. */
  autoBackup?: AutoBackupPace;
  /** How patient transfers to and from other hosts are; absent: as in limits.ts. */
  transfer?: TransferOptions;
}

export const systemPlatform: Platform = {
  files: nodeFileSystem,
  nowMicros: () => Date.now() * 1000,
  randomHex: (bytes) => randomBytes(bytes).toString("hex"),
  randomId: () => randomUUID(),
  failpoint: async () => {},
};

import { randomBytes, randomUUID } from "node:crypto";
import type { AutoBackupPace } from "./platform-options.js";
import type { FileSystem } from "./file-system.js";
import type { LeaseOptions } from "./platform-options.js";
import { nodeFileSystem } from "./node-file-system.js";
import type { TransferOptions } from "./platform-options.js";

/** Points of a backup or restore at which a test can stop or kill the process. */
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

/** File system, clock, randomness and timeouts of the host. Tests replace them. */
export interface Platform {
  files: FileSystem;
  /** Microseconds since 1970. */
  nowMicros(): number;
  /** Returns random bytes as lower-case hexadecimal. */
  randomHex(bytes: number): string;
  /** Returns a random UUID. */
  randomId(): string;
  /** Called at a point of a backup or restore. Does nothing unless a test replaces it. */
  failpoint(name: FailpointName): Promise<void>;
  /** Times of leases. Default: as in limits.ts. */
  lease?: LeaseOptions;
  /** Times of automatic backups. Default: as in limits.ts. */
  autoBackup?: AutoBackupPace;
  /** Timeouts of transfers to and from other hosts. Default: as in limits.ts. */
  transfer?: TransferOptions;
}

/** The platform of a host outside tests. */
export const systemPlatform: Platform = {
  files: nodeFileSystem,
  nowMicros: () => Date.now() * 1000,
  randomHex: (bytes) => randomBytes(bytes).toString("hex"),
  randomId: () => randomUUID(),
  failpoint: async () => {},
};

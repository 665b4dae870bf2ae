import type { ListedBackupJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";

/** The backups that are chosen for removal. */
export interface Selection {
  /** By backupKey. */
  chosen: ReadonlyMap<string, ListedBackupJson>;
  choose: (backups: ListedBackupJson[], isChosen: boolean) => void;
}

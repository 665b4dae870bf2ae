import type {
  BackupDescriptionJson,
  ListedBackupJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";

/** A backup whose manifest can be read. */
export type ReadableBackup = ListedBackupJson & { backup: BackupDescriptionJson };

/** A base and the backups that build on it, newest first. */
export interface Chain {
  key: string;
  backups: ReadableBackup[];
}

/** Groups backups by the base that they build on, in the order of the newest of each. */
export function chainsOf(backups: readonly ListedBackupJson[]): {
  chains: Chain[];
  /** What is not a usable backup. */
  others: ListedBackupJson[];
} {
  const chains = new Map<string, Chain>();
  const others: ListedBackupJson[] = [];
  for (const one of backups) {
    if (!isReadable(one)) {
      others.push(one);
      continue;
    }
    const base = one.backup.segments?.[0]?.name ?? one.name ?? "";
    const key = `${one.uri} ${base}`;
    const chain = chains.get(key) ?? { key, backups: [] };
    chain.backups.push(one);
    chains.set(key, chain);
  }
  return { chains: [...chains.values()], others };
}

const isReadable = (one: ListedBackupJson): one is ReadableBackup => one.backup !== undefined;

/** Whether other backups can be at the same place, so that one of them can be pinned or removed. */
export const isInDirectory = ({ backup }: ReadableBackup) =>
  backup.container === "CONTAINER_DIRECTORY";

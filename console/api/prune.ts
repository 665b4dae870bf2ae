import type {
  ListedBackupJson,
  PruneBackupsResponseJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { pruneBackups } from "./backups.js";

/** Removes backups, or says what would be removed; of several destinations, one after the other. */
export async function prune(
  chosen: readonly ListedBackupJson[],
  validateOnly: boolean,
): Promise<Required<PruneBackupsResponseJson>> {
  const sum = {
    removedBackups: [] as string[],
    removedFiles: [] as string[],
    freedBytes: "0",
    lockedFiles: [] as NonNullable<PruneBackupsResponseJson["lockedFiles"]>,
    pinnedBackups: [] as string[],
  };
  for (const uri of new Set(chosen.map((one) => one.uri ?? ""))) {
    const names = chosen.filter((one) => one.uri === uri).map(({ name }) => name ?? "");
    const answer = await pruneBackups({ uri, names, validateOnly });
    sum.removedBackups.push(...(answer.removedBackups ?? []));
    sum.removedFiles.push(...(answer.removedFiles ?? []));
    sum.freedBytes = String(Number(sum.freedBytes) + Number(answer.freedBytes ?? 0));
    sum.lockedFiles.push(...(answer.lockedFiles ?? []));
    sum.pinnedBackups.push(...(answer.pinnedBackups ?? []));
  }
  return sum;
}

import type { ListedBackupJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { backupKey } from "../api/backups.js";
import type { Selection } from "../api/selection.js";

/** Chooses backups for removal. */
export function ChooseBox({
  backups,
  selection: { chosen, choose },
  label,
}: {
  backups: ListedBackupJson[];
  selection: Selection;
  label: string;
}) {
  return (
    <input
      type="checkbox"
      aria-label={`Choose ${label}`}
      checked={backups.every((one) => chosen.has(backupKey(one)))}
      onChange={(event) => choose(backups, event.currentTarget.checked)}
    />
  );
}

import type { ListedBackupJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { backupKey } from "../api/backups.js";
import type { Selection } from "../api/selection.js";

/** Chooses a backup for removal. */
export function ChooseBox({
  backup,
  selection: { chosen, choose },
  label,
}: {
  backup: ListedBackupJson;
  selection: Selection;
  label: string;
}) {
  return (
    <input
      type="checkbox"
      aria-label={`Choose ${label}`}
      checked={chosen.has(backupKey(backup))}
      onChange={(event) => choose(backup, event.currentTarget.checked)}
    />
  );
}

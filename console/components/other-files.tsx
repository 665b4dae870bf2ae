import type { ListedBackupJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { backupKey } from "../api/backups.js";
import { may } from "../api/may.js";
import type { Selection } from "../api/selection.js";
import { nameOf } from "../text/names.js";
import { ChooseBox } from "./choose-box.js";

const shown = 20;

/** What is at a destination and is not a usable backup, and why. */
export function OtherFiles({
  files,
  selection,
}: {
  files: ListedBackupJson[];
  selection: Selection;
}) {
  if (files.length === 0) return null;
  return (
    <section class="card bad">
      <h2>Not usable</h2>
      <ul class="plain">
        {files.slice(0, shown).map((one) => (
          <li key={backupKey(one)} class="choice">
            {may("prune") && isManifest(one) && (
              <ChooseBox backups={[one]} selection={selection} label={one.name ?? ""} />
            )}
            <div>
              <strong class="bad">{nameOf(one.state, "BACKUP_STATE_")}</strong> {one.name}
              <div class="muted">{one.problem}</div>
            </div>
          </li>
        ))}
      </ul>
      {files.length > shown && <p class="muted">And {files.length - shown} more.</p>}
    </section>
  );
}

/** Others are files of other programs or unfinished ones, which pruning does not know. */
const isManifest = ({ name = "" }: ListedBackupJson) => /^manifest-.*\.json$/.test(name);

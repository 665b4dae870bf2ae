import { useState } from "preact/hooks";
import type {
  ListedBackupJson,
  PruneBackupsResponseJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { useAttempt } from "../api/attempt.js";
import { backupKey } from "../api/backups.js";
import { prune } from "../api/prune.js";
import { bytes, count, counted } from "../text/format.js";
import { Notice } from "./notice.js";
import { PrunePreview } from "./prune-preview.js";

/** Removes the chosen backups, after a preview and a typed confirmation. */
export function PrunePanel({
  chosen,
  newest,
  onClear,
  onDone,
}: {
  chosen: ListedBackupJson[];
  newest: ListedBackupJson | undefined;
  onClear: () => void;
  onDone: (what: string) => void;
}) {
  const [preview, setPreview] = useState<Required<PruneBackupsResponseJson>>();
  const [typed, setTyped] = useState("");
  const { isBusy, problem, attempt } = useAttempt();
  const look = () => attempt(async () => setPreview(await prune(chosen, true)));
  const remove = () =>
    attempt(async () => {
      const { removedBackups, removedFiles, freedBytes } = await prune(chosen, false);
      onDone(
        `Removed ${counted(removedBackups.length, "backup")} with ${counted(removedFiles.length, "file")}: ${bytes(freedBytes)} freed.`,
      );
    });
  const withNewest = newest && chosen.some((one) => backupKey(one) === backupKey(newest));
  const phrase = `remove ${preview?.removedBackups.length ?? 0}`;
  return (
    <section class="card chosen">
      <h2>Remove backups</h2>
      <p>
        {count(chosen.length)} {chosen.length === 1 ? "backup is" : "backups are"} chosen. The
        preview removes nothing.
      </p>
      {withNewest && <Notice kind="warn">The newest backup is among them.</Notice>}
      <div class="row">
        <button type="button" disabled={isBusy} onClick={look}>
          Preview the removal
        </button>
        <button type="button" class="plain" onClick={onClear}>
          Choose none
        </button>
      </div>
      {problem !== "" && <Notice kind="bad">{problem}</Notice>}
      {preview && (
        <div aria-live="polite">
          <PrunePreview preview={preview} chosen={chosen} />
          {preview.removedBackups.length > 0 && (
            <>
              <label for="confirm-prune">
                Type <code>{phrase}</code> to remove them for good
              </label>
              <div class="row">
                <input
                  id="confirm-prune"
                  class="time"
                  autocomplete="off"
                  value={typed}
                  onInput={(event) => setTyped(event.currentTarget.value)}
                />
                <button
                  type="button"
                  class="danger"
                  disabled={isBusy || typed.trim() !== phrase}
                  onClick={remove}
                >
                  Remove
                </button>
              </div>
            </>
          )}
        </div>
      )}
    </section>
  );
}

import { useId, useState } from "preact/hooks";
import { useAttempt } from "../api/attempt.js";
import { pinBackup, unpinBackup } from "../api/backups.js";
import type { ReadableBackup } from "../api/chains.js";
import { may } from "../api/may.js";
import { Notice } from "./notice.js";

/** Pins a backup, so that nothing removes it, or unpins it. */
export function PinForm({ listed, onChanged }: { listed: ReadableBackup; onChanged: () => void }) {
  const id = useId();
  const [reason, setReason] = useState("");
  const { isBusy, problem, attempt } = useAttempt();
  const one = { uri: listed.uri, backupName: listed.name };
  const pin = (event: Event) => {
    event.preventDefault();
    attempt(async () => {
      await pinBackup({ ...one, reason: reason.trim() });
      onChanged();
    });
  };
  const unpin = () =>
    attempt(async () => {
      await unpinBackup(one);
      onChanged();
    });
  if (!may(listed.pinned ? "prune" : "backup")) return null;
  return (
    <section>
      <h3>{listed.pinned ? "Pinned" : "Pin"}</h3>
      {listed.pinned ? (
        <>
          <p>{listed.pinReason || "No reason was given."}</p>
          <button type="button" disabled={isBusy} onClick={unpin}>
            Unpin
          </button>
        </>
      ) : (
        <form onSubmit={pin}>
          <label for={id}>Why it must stay</label>
          <input
            id={id}
            maxLength={1024}
            placeholder="before the migration"
            value={reason}
            onInput={(event) => setReason(event.currentTarget.value)}
          />
          <div class="row">
            <button type="submit" disabled={isBusy || reason.trim() === ""}>
              Pin
            </button>
          </div>
        </form>
      )}
      {problem !== "" && <Notice kind="bad">{problem}</Notice>}
    </section>
  );
}

import type { HostJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import type { ReadableBackup } from "../api/chains.js";
import { nameOf } from "../text/names.js";

/** Whether a backup is complete, encrypted, signed and pinned, and why not. */
export function BackupStates({ listed, host }: { listed: ReadableBackup; host: HostJson }) {
  const { state, problem, backup, pinned, pinReason } = listed;
  const isComplete = state === "BACKUP_STATE_COMPLETE";
  return (
    <>
      <span class={isComplete ? "whole good" : "whole bad"}>{nameOf(state, "BACKUP_STATE_")}</span>
      {/* Only such a host tells whose signature a manifest has. */}
      {isComplete && host.trustsSignersOnly && ", signed"}
      {backup.encrypted && ", encrypted"}
      {pinned && (
        <>
          , <strong>pinned</strong> <span class="muted">{pinReason}</span>
        </>
      )}
      {problem && <div class="bad">{problem}</div>}
    </>
  );
}

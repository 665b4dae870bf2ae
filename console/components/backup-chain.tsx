import { useState } from "preact/hooks";
import type { HostJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { backupKey } from "../api/backups.js";
import { isInDirectory, type Chain } from "../api/chains.js";
import { may } from "../api/may.js";
import type { Selection } from "../api/selection.js";
import { bytes, count, localSecond } from "../text/format.js";
import { BackupRow } from "./backup-row.js";
import { ChooseBox } from "./choose-box.js";

/** Rows that a chain shows at once. */
const step = 25;

/** A base and the backups that build on it. */
export function BackupChain({
  chain: { backups },
  host,
  isFirst,
  isPartial,
  selection,
  onChanged,
}: {
  chain: Chain;
  host: HostJson;
  isFirst: boolean;
  /** Whether the destination has older backups of it that are not listed yet. */
  isPartial: boolean;
  selection: Selection;
  onChanged: () => void;
}) {
  const [isOpen, setOpen] = useState(isFirst);
  const [shown, setShown] = useState(step);
  const [newest] = backups;
  if (!newest) return null;
  const { indexLink, window, sizeBytes } = newest.backup;
  const removable = backups.filter(isInDirectory);
  const wrong = backups.filter(({ state }) => state !== "BACKUP_STATE_COMPLETE").length;
  const pinned = backups.filter((one) => one.pinned).length;
  return (
    <details class="card" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <h2>
          {count(backups.length)}
          {isPartial && " or more"} {backups.length === 1 && !isPartial ? "backup" : "backups"} of{" "}
          {indexLink}
        </h2>{" "}
        <span class="muted">
          {bytes(sizeBytes)}, any time from {localSecond(Number(window?.earliestMicros ?? 0))} to{" "}
          {localSecond(Number(window?.latestMicros ?? 0))}
          {pinned > 0 && `, ${count(pinned)} pinned`}
        </span>
        {/* A closed chain does not hide it. */}
        {wrong > 0 && <strong class="bad"> {count(wrong)} not usable</strong>}
      </summary>
      {isOpen && (
        <>
          <table class="stack">
            <thead>
              <tr>
                {may("prune") && (
                  <th scope="col">
                    {removable.length > 0 && (
                      <ChooseBox
                        backups={removable}
                        selection={selection}
                        label="all backups of this chain"
                      />
                    )}
                  </th>
                )}
                <th scope="col">Created</th>
                <th scope="col">Restores to</th>
                <th scope="col">Documents</th>
                <th scope="col">Size</th>
                <th scope="col">Verified</th>
                <th scope="col">State</th>
                <th scope="col">
                  <span class="hidden">Details and actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {backups.slice(0, shown).map((one) => (
                <BackupRow
                  key={backupKey(one)}
                  listed={one}
                  host={host}
                  selection={selection}
                  onChanged={onChanged}
                />
              ))}
            </tbody>
          </table>
          {backups.length > shown && (
            <button type="button" onClick={() => setShown(shown + step)}>
              Show {count(Math.min(step, backups.length - shown))} more of{" "}
              {count(backups.length - shown)}
            </button>
          )}
        </>
      )}
    </details>
  );
}

import { useId, useState } from "preact/hooks";
import type { HostJson } from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { isInDirectory, type ReadableBackup } from "../api/chains.js";
import { may } from "../api/may.js";
import type { Selection } from "../api/selection.js";
import { bytes, count, counted, localSecond } from "../text/format.js";
import { BackupActions } from "./backup-actions.js";
import { BackupCommands } from "./backup-commands.js";
import { BackupFacts } from "./backup-facts.js";
import { BackupStates } from "./backup-states.js";
import { ChooseBox } from "./choose-box.js";
import { OpenBeside } from "./open-beside.js";
import { Time } from "./time.js";
import { VerificationResult } from "./verification-result.js";

/** A backup of a chain, with its details and actions on demand. */
export function BackupRow({
  listed,
  host,
  selection,
  onChanged,
}: {
  listed: ReadableBackup;
  host: HostJson;
  selection: Selection;
  onChanged: () => void;
}) {
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  const { backup } = listed;
  const created = localSecond(Number(backup.createTimeMicros ?? 0));
  const increments = (backup.segments?.length ?? 1) - 1;
  const withBox = may("prune");
  return (
    <>
      <tr>
        {withBox && (
          <td class="choose">
            {isInDirectory(listed) && (
              <ChooseBox
                backups={[listed]}
                selection={selection}
                label={`the backup of ${created}`}
              />
            )}
          </td>
        )}
        <th scope="row" data-label="Created">
          <Time micros={backup.createTimeMicros} />
        </th>
        <td data-label="Restores to">
          {localSecond(Number(backup.window?.latestMicros ?? backup.positionMicros ?? 0))}
        </td>
        <td data-label="Documents">{count(backup.documents)}</td>
        <td data-label="Size">
          {bytes(backup.sizeBytes)}{" "}
          <span class="muted">{increments === 0 ? "base" : counted(increments, "increment")}</span>
        </td>
        <td data-label="Verified">
          <VerificationResult verification={listed.lastVerification} />
        </td>
        <td data-label="State">
          <BackupStates listed={listed} host={host} />
        </td>
        <td>
          <button
            type="button"
            aria-expanded={isOpen}
            aria-controls={id}
            aria-label={`Details of the backup of ${created}`}
            onClick={() => setOpen(!isOpen)}
          >
            Details
          </button>
        </td>
      </tr>
      <tr id={id} hidden={!isOpen} class="details">
        {isOpen && (
          <td colSpan={withBox ? 8 : 7}>
            <BackupActions listed={listed} onChanged={onChanged} />
            <h3>Look at it</h3>
            <OpenBeside pointInTime={{ uri: listed.uri, backupName: backup.name }} />
            <BackupFacts listed={listed} host={host} />
            <BackupCommands listed={listed} />
          </td>
        )}
      </tr>
    </>
  );
}

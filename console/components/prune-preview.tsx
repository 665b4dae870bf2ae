import type {
  ListedBackupJson,
  PruneBackupsResponseJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { bytes, count, counted, localSecond } from "../text/format.js";

const shown = 50;

/** What a removal takes away, and what stays although it was chosen. */
export function PrunePreview({
  preview,
  chosen,
}: {
  preview: Required<PruneBackupsResponseJson>;
  chosen: ListedBackupJson[];
}) {
  const { removedBackups, removedFiles, freedBytes, lockedFiles, pinnedBackups } = preview;
  const gone = new Set(removedFiles);
  const locked = new Set(lockedFiles.map(({ name }) => name));
  const needed = new Set(
    chosen
      .filter(({ name }) => removedBackups.includes(name ?? ""))
      .flatMap(({ backup }) => (backup?.segments ?? []).map(({ name }) => name))
      .filter((name) => !gone.has(name ?? "") && !locked.has(name)),
  );
  return (
    <>
      <p>
        <strong>
          {count(removedBackups.length)}{" "}
          {removedBackups.length === 1 ? "backup goes" : "backups go"}
        </strong>
        , with {counted(removedFiles.length, "file")}: {bytes(freedBytes)} freed.
      </p>
      <ul>
        {pinnedBackups.slice(0, shown).map((name) => (
          <li key={name}>{name} stays: it is pinned.</li>
        ))}
        {lockedFiles.slice(0, shown).map(({ name, lockedUntilMicros }) => (
          <li key={name}>
            {name} stays: the store has locked it until {localSecond(Number(lockedUntilMicros))}.
          </li>
        ))}
        {needed.size > 0 && (
          <li>Other backups need {counted(needed.size, "segment")} of them, which stay.</li>
        )}
      </ul>
      {removedFiles.length > 0 && (
        <details>
          <summary>Files that go</summary>
          <ul class="links">
            {removedFiles.slice(0, shown).map((name) => (
              <li key={name}>{name}</li>
            ))}
          </ul>
          {removedFiles.length > shown && (
            <p class="muted">And {count(removedFiles.length - shown)} more.</p>
          )}
        </details>
      )}
    </>
  );
}

import { isInDirectory, type ReadableBackup } from "../api/chains.js";
import { may } from "../api/may.js";
import { PinForm } from "./pin-form.js";
import { VerifyForm } from "./verify-form.js";

/** What can be done with a backup. */
export function BackupActions({
  listed,
  onChanged,
}: {
  listed: ReadableBackup;
  onChanged: () => void;
}) {
  return (
    <div class="columns">
      {may("backup") && <VerifyForm listed={listed} onChanged={onChanged} />}
      {isInDirectory(listed) && <PinForm listed={listed} onChanged={onChanged} />}
    </div>
  );
}

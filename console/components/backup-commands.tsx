import type { ReadableBackup } from "../api/chains.js";
import { shellWord } from "../text/shell.js";

/** What the console does not do with one backup, as commands. */
export function BackupCommands({
  listed: { uri = "", name = "", backup },
}: {
  listed: ReadableBackup;
}) {
  const identity = backup.encrypted ? " --identity FILE" : "";
  const source = `${shellWord(uri)} --backup ${shellWord(name)}`;
  return (
    <details>
      <summary>Copy, export or restore it with a command</summary>
      <pre>
        {[
          `holdfast copy ${shellWord(uri)} DEST --backup ${shellWord(name)}`,
          `holdfast export ${source}${identity} --output documents.ndjson`,
          `holdfast restore ${source}${identity}`,
        ].join("\n")}
      </pre>
    </details>
  );
}

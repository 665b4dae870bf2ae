import type { Command } from "commander";
import {
  addDetach,
  addExamples,
  addHostOptions,
  addOutputOptions,
  addSelection,
  collect,
} from "../options.js";
import { addDecryption } from "./encryption.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast restore`. */
export function addRestore(program: Command): void {
  const command = program
    .command("restore")
    .description(
      "restore an index, or some of its documents, to a point in time; the host keeps running",
    )
    .argument("<SOURCE>", "backup, as seen by the host: a path or URI")
    .option(
      "--at <TIME>",
      "point in time: RFC 3339, '15m ago' or microseconds (default: end of the backup)",
    )
    .option("--backup <NAME>", "backup in the directory (default: the newest)")
    .option("--index <LINK>", "index to restore (default: /core/document-index)")
    .option(
      "--if-position <TIME>",
      "fail unless this is the time of the last change of the index (default: no check)",
    )
    .option(
      "--base <SOURCE>",
      "additional archive with segments of the chain; repeatable (default: none)",
      collect,
    )
    .option(
      "--bearer-file <FILE>",
      "http(s): file that contains the bearer token for SOURCE (default: none)",
    )
    .option(
      "--request-id <ID>",
      "idempotency key that makes the command safe to repeat (default: none)",
    )
    .option("--dry-run", "show what would be replaced without replacing it")
    .option("--yes", "do not prompt for confirmation")
    .option(
      "--data-dir <DIR>",
      "restore to this empty or missing data directory, without a host (default: none)",
    );
  addSelection(command)
    .option(
      "--delete-others",
      "with --prefix, --kind or --link: delete selected documents that are not in the backup",
    )
    .action(lazyAction(async () => (await import("../actions/restore.js")).restore));
  addOutputOptions(addHostOptions(addDetach(addDecryption(command))), { times: true });
  addExamples(command, [
    ["Restore to the end of a backup", "holdfast restore /backups/shop"],
    [
      "Restore to a point in time; shows the versions around it, then prompts",
      "holdfast restore /backups/shop --at '15m ago'",
    ],
    [
      "Restore some documents as new versions; others are unchanged",
      "holdfast restore /backups/shop --prefix /core/examples/ada",
    ],
    [
      "Recover a lost host: restore to a new data directory, then start it",
      "holdfast restore /backups/shop --data-dir ./data && holdfast serve --data-dir ./data",
    ],
    ["In a script", "holdfast restore file:/backups/shop --at 2026-11-22T15:23:38.605007Z --yes"],
  ]);
}

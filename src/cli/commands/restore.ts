import type { Command } from "commander";
import {
  addDetach,
  addExamples,
  addHostOptions,
  addOutputOptions,
  addSelection,
  collect,
} from "../options.js";
import { lazyAction } from "../lazy-action.js";

export function addRestore(program: Command): void {
  const command = program
    .command("restore")
    .description(
      "put an index back to a backup, to a moment, or only some of its documents; without a restart of the host",
    )
    .argument("<SOURCE>", "where the backup is: a path or URI as the host sees it")
    .option("--at <TIME>", "the moment to go back to: micros, RFC 3339, or a span like '15m ago'")
    .option("--backup <NAME>", "one backup of the directory (default: the newest)")
    .option("--index <LINK>", "the index (default /core/document-index)")
    .option("--if-position <TIME>", "only if the index was not written to after this time")
    .option(
      "--base <SOURCE>",
      "a further archive that holds segments which the backup builds on; repeatable",
      collect,
    )
    .option("--bearer-file <FILE>", "http(s): a file that holds the token for the source")
    .option("--request-id <ID>", "makes the command safe to repeat")
    .option("--dry-run", "show what would be replaced, and do nothing")
    .option("--yes", "do not ask")
    .option(
      "--data-dir <DIR>",
      "restore into this empty or missing data directory, without a host",
    );
  addSelection(command)
    .option(
      "--delete-others",
      "with --prefix, --kind or --link: delete those of them that the backup has not",
    )
    .action(lazyAction(async () => (await import("../actions/restore.js")).restore));
  addOutputOptions(addHostOptions(addDetach(command)));
  addExamples(command, [
    ["To the newest state of a backup", "holdfast restore /backups/shop"],
    [
      "To a moment; shows the versions next to it, then asks",
      "holdfast restore /backups/shop --at '15m ago'",
    ],
    [
      "Only some documents, as new versions; all others stay",
      "holdfast restore /backups/shop --prefix /core/examples/ada",
    ],
    [
      "A host was lost: into a new data directory, then start it",
      "holdfast restore /backups/shop --data-dir ./data && holdfast serve --data-dir ./data",
    ],
    [
      "In a script, where nobody can be asked",
      "holdfast restore file:/backups/shop --at 1795361018605007 --yes",
    ],
  ]);
}

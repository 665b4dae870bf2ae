import { Option, type Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions, addSelection } from "../options.js";
import { addDecryption } from "./encryption.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast diff`. */
export function addDiff(program: Command): void {
  const command = program
    .command("diff")
    .description(
      "show documents that differ between two backups, two points in time, or a backup and the live index",
    )
    .argument("<FROM>", "backup: a path or URI")
    .argument("[TO]", "backup to compare with; may be the same at another time")
    .option("--live", "compare with the live index of a host instead of TO")
    .option("--at <TIME>", "point in time of FROM (default: its end)")
    .option("--to-at <TIME>", "point in time of TO or the live index (default: its end)")
    .option("--backup <NAME>", "backup in the directory FROM (default: the newest)")
    .option("--to-backup <NAME>", "backup in the directory TO (default: the newest)")
    .option("--index <LINK>", "live index to compare with (default: /core/document-index)");
  addSelection(command)
    .addOption(
      new Option("--format <FORMAT>", "output format")
        .choices(["text", "json", "ndjson"])
        .default("text"),
    )
    .action(lazyAction(async () => (await import("../actions/diff.js")).diff));
  addOutputOptions(addHostOptions(addDecryption(command), { offline: true }), { times: true });
  addExamples(command, [
    [
      "Compare two backups; exits with 1 if documents differ",
      "holdfast diff /backups/monday.zip /backups/tuesday.zip",
    ],
    ["Show what was written since a backup", "holdfast diff /backups/shop --live"],
    [
      "Show what changed in one hour of a backup",
      "holdfast diff /backups/shop /backups/shop --at '2h ago' --to-at '1h ago'",
    ],
    [
      "Print one line of JSON per document",
      "holdfast diff /backups/shop --live --prefix /core/examples/ --format ndjson",
    ],
  ]);
}

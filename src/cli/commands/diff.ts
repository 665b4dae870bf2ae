import { Option, type Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions, addSelection } from "../options.js";
import { lazyAction } from "../lazy-action.js";

export function addDiff(program: Command): void {
  const command = program
    .command("diff")
    .description(
      "show the documents that differ between two backups, two moments, or a backup and the live index",
    )
    .argument("<FROM>", "a backup: a path or URI")
    .argument("[TO]", "another one, or the same at another time")
    .option("--live", "compare with the live index of a host in place of TO")
    .option("--at <TIME>", "the moment of FROM (default: all of it)")
    .option("--to-at <TIME>", "the moment of TO or the live index (default: all of it)")
    .option("--backup <NAME>", "one backup of the directory FROM (default: the newest)")
    .option("--to-backup <NAME>", "one backup of the directory TO (default: the newest)")
    .option("--index <LINK>", "the live index (default /core/document-index)");
  addSelection(command)
    .addOption(
      new Option("--format <FORMAT>", "how differences are shown")
        .choices(["text", "json", "ndjson"])
        .default("text"),
    )
    .action(lazyAction(async () => (await import("../actions/diff.js")).diff));
  addOutputOptions(addHostOptions(command, { offline: true }));
  addExamples(command, [
    [
      "Two backups; exits 1 where documents differ",
      "holdfast diff /backups/monday.zip /backups/tuesday.zip",
    ],
    ["What was written since a backup", "holdfast diff /backups/shop --live"],
    [
      "What changed within one backup in an hour",
      "holdfast diff /backups/shop /backups/shop --at '2h ago' --to-at '1h ago'",
    ],
    [
      "A line of JSON for each document",
      "holdfast diff /backups/shop --live --prefix /core/examples/ --format ndjson",
    ],
  ]);
}

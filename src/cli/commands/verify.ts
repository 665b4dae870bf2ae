import { Option, type Command } from "commander";
import { addDetach, addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

export function addVerify(program: Command): void {
  const command = program
    .command("verify")
    .description(
      "check a backup: that its files are there, some rows, every row, or a restore that is thrown away",
    )
    .argument("<SOURCE>", "where the backup is: a path or URI")
    .option("--backup <NAME>", "one backup of the directory (default: the newest)")
    .addOption(
      new Option("--level <LEVEL>", "how far to look")
        .choices(["list", "sample", "full", "trial"])
        .default("full"),
    )
    .option("--percent <N>", "sample: how many of a hundred rows are read (default 5)")
    .action(lazyAction(async () => (await import("../actions/verify.js")).verify));
  addOutputOptions(addHostOptions(addDetach(command), { offline: true }));
  addExamples(command, [
    ["Every digest, row and count, with no host", "holdfast verify /backups/shop"],
    [
      "A restore into an index that is thrown away",
      "holdfast verify /backups/shop.zip --level trial",
    ],
    [
      "By the host, which remembers the outcome",
      "holdfast verify /backups/shop --address 127.0.0.1:8001",
    ],
  ]);
}

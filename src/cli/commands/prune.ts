import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast prune`. */
export function addPrune(program: Command): void {
  const command = program
    .command("prune")
    .description("remove backups from a directory, with all files that no remaining backup needs")
    .argument("<DEST>", "destination of the backups, as seen by the host: a path or URI")
    .argument("[NAMES...]", "names of the backups to remove, as shown by holdfast list")
    .option("--keep <N>", "remove all complete backups except the newest N of each index")
    .option(
      "--older-than <TIME>",
      "remove complete backups older than a time or duration (30d), except the newest of each index",
    )
    .option(
      "--request-id <ID>",
      "idempotency key that makes the command safe to repeat (default: none)",
    )
    .option("--dry-run", "show what would be removed without removing it")
    .option("--yes", "do not prompt for confirmation")
    .action(lazyAction(async () => (await import("../actions/prune.js")).prune));
  addOutputOptions(addHostOptions(command));
  addExamples(command, [
    ["Show what would be removed", "holdfast prune /backups/shop --older-than 30d --dry-run"],
    ["In a script", "holdfast prune /backups/shop --keep 7 --yes"],
  ]);
}

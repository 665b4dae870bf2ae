import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

export function addPrune(program: Command): void {
  const command = program
    .command("prune")
    .description("remove backups of a directory, and the files that no other backup needs")
    .argument("<DEST>", "where the backups are: a path or URI as the host sees it")
    .argument("[NAMES...]", "the backups to remove, as holdfast list names them")
    .option("--keep <N>", "all complete ones but the newest N")
    .option(
      "--older-than <TIME>",
      "all complete ones made before a time or span (30d), but never the newest one",
    )
    .option("--request-id <ID>", "makes the command safe to repeat")
    .option("--dry-run", "show what would go, and remove nothing")
    .option("--yes", "do not ask")
    .action(lazyAction(async () => (await import("../actions/prune.js")).prune));
  addOutputOptions(addHostOptions(command));
  addExamples(command, [
    ["What would go", "holdfast prune /backups/shop --older-than 30d --dry-run"],
    ["In a script", "holdfast prune /backups/shop --keep 7 --yes"],
  ]);
}

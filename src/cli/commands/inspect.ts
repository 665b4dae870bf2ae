import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

export function addInspect(program: Command): void {
  const command = program
    .command("inspect")
    .description(
      "show what a backup holds, by its manifest alone: segments, window, counts, histories",
    )
    .argument("<SOURCE>", "where the backup is: a path or URI")
    .option("--backup <NAME>", "one backup of the directory (default: the newest)")
    .action(lazyAction(async () => (await import("../actions/inspect.js")).inspect));
  addOutputOptions(addHostOptions(command, { offline: true }));
  addExamples(command, [
    ["A directory or a ZIP file", "holdfast inspect /backups/shop"],
    ["Its window in a script", "holdfast inspect /backups/shop --json | jq .result.window"],
  ]);
}

import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { addDecryption } from "./encryption.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast inspect`. */
export function addInspect(program: Command): void {
  const command = program
    .command("inspect")
    .description("show the manifest of a backup: segments, restorable window, counts, lineages")
    .argument("<SOURCE>", "backup: a path or URI")
    .option("--backup <NAME>", "backup in the directory (default: the newest)")
    .action(lazyAction(async () => (await import("../actions/inspect.js")).inspect));
  addOutputOptions(addHostOptions(addDecryption(command), { offline: true }), { times: true });
  addExamples(command, [
    ["A directory or a ZIP file", "holdfast inspect /backups/shop"],
    [
      "The restorable window, in a script",
      "holdfast inspect /backups/shop --json | jq .result.window",
    ],
  ]);
}

import type { Command } from "commander";
import { addDetach, addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast undo`. */
export function addUndo(program: Command): void {
  const command = program
    .command("undo")
    .description("revert the last restore; a second undo reverts the first")
    .option("--index <LINK>", "index to revert (default: /core/document-index)")
    .option(
      "--ignore-partial-restores",
      "revert the last restore of the whole index although documents were restored after it",
    )
    .option("--dry-run", "show what would be reverted without reverting it")
    .option("--yes", "do not prompt for confirmation")
    .action(lazyAction(async () => (await import("../actions/undo.js")).undo));
  addOutputOptions(addHostOptions(addDetach(command)), { times: true });
  addExamples(command, [
    ["Revert the last restore; shows what is lost, then prompts", "holdfast undo"],
    ["Only show it", "holdfast undo --dry-run"],
  ]);
}

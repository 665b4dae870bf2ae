import type { Command } from "commander";
import { addDetach, addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast undo`. */
export function addUndo(program: Command): void {
  const command = program
    .command("undo")
    .description("revert the last restore; a second undo reverts the first")
    .option("--index <LINK>", "index to revert (default: /core/document-index)")
    .option("--yes", "do not prompt for confirmation")
    .action(lazyAction(async () => (await import("../actions/undo.js")).undo));
  addOutputOptions(addHostOptions(addDetach(command)), { times: true });
  addExamples(command, [["Revert the last restore", "holdfast undo"]]);
}

import type { Command } from "commander";
import { addDetach, addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

export function addUndo(program: Command): void {
  const command = program
    .command("undo")
    .description(
      "go back to the index as it was before the last restore; undone itself by a second undo",
    )
    .option("--index <LINK>", "the index (default /core/document-index)")
    .option("--yes", "do not ask")
    .action(lazyAction(async () => (await import("../actions/undo.js")).undo));
  addOutputOptions(addHostOptions(addDetach(command)));
  addExamples(command, [["The restore was a mistake", "holdfast undo"]]);
}

import type { Command } from "commander";
import { addDetach, addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast check`. */
export function addCheck(program: Command): void {
  const command = program
    .command("check")
    .description(
      "check the live index of a running host: key indexes, checksums of all versions, counts",
    )
    .option("--index <LINK>", "index to check (default: /core/document-index)")
    .action(lazyAction(async () => (await import("../actions/check.js")).check));
  addOutputOptions(addHostOptions(addDetach(command)));
  addExamples(command, [
    ["The default index of the local host", "holdfast check"],
    ["In the background", "holdfast check --detach --address 127.0.0.1:8001"],
  ]);
}

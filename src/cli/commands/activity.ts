import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast activity`. */
export function addActivity(program: Command): void {
  const command = program
    .command("activity")
    .description("show how many documents were created, updated and deleted over time")
    .option("--from <TIME>", "start (default: the first version)")
    .option("--to <TIME>", "end (default: now)")
    .option("--rows <N>", "greatest number of intervals (default: 30)")
    .option("--index <LINK>", "index (default: /core/document-index)")
    .action(lazyAction(async () => (await import("../actions/activity.js")).activity));
  addOutputOptions(addHostOptions(command), { times: true });
  addExamples(command, [
    ["Find the time of an accident: a burst of deletions", "holdfast activity"],
    ["Look closer", "holdfast activity --from '1h ago' --rows 60"],
  ]);
}

import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

export function addOperations(program: Command): void {
  const group = program
    .command("operations")
    .description("what a host works on: backups, restores and checks");
  const list = group
    .command("list")
    .description("show the operations that run, and those that have ended")
    .option("--running", "only those that run")
    .action(lazyAction(async () => (await import("../actions/operations.js")).listOperations));
  addOutputOptions(addHostOptions(list));
  addExamples(list, [["What runs now", "holdfast operations list --running"]]);
  const watch = group
    .command("watch")
    .description("follow an operation to its end; Ctrl-C ends the watching, not the operation")
    .argument("<NAME>", "operations/ID, or the ID")
    .action(lazyAction(async () => (await import("../actions/operations.js")).watchOperation));
  addOutputOptions(addHostOptions(watch));
  addExamples(watch, [
    [
      "Go on watching after the terminal was lost",
      "holdfast operations watch operations/bedc2904-d532-43bf-9dcd-a13bb42edcb0",
    ],
  ]);
  const cancel = group
    .command("cancel")
    .description("cancel an operation, and wait for its end")
    .argument("<NAME>", "operations/ID, or the ID")
    .action(lazyAction(async () => (await import("../actions/operations.js")).cancelOperation));
  addOutputOptions(addHostOptions(cancel));
  addExamples(cancel, [
    [
      "Stop a backup that somebody else began",
      "holdfast operations cancel operations/bedc2904-d532-43bf-9dcd-a13bb42edcb0",
    ],
  ]);
}

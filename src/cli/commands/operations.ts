import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

/** Adds the commands of `holdfast operations`. */
export function addOperations(program: Command): void {
  const group = program
    .command("operations")
    .description("list, follow and cancel operations of a host");
  const list = group
    .command("list")
    .description("list running and recently finished operations")
    .option("--running", "only running operations")
    .action(lazyAction(async () => (await import("../actions/operations.js")).listOperations));
  addOutputOptions(addHostOptions(list));
  addExamples(list, [["Running operations", "holdfast operations list --running"]]);
  const watch = group
    .command("watch")
    .description("follow an operation until it is done; Ctrl-C stops following, not the operation")
    .argument("<NAME>", "operations/ID or ID")
    .action(lazyAction(async () => (await import("../actions/operations.js")).watchOperation));
  addOutputOptions(addHostOptions(watch));
  addExamples(watch, [
    [
      "Follow an operation after its terminal closed",
      "holdfast operations watch operations/bedc2904-d532-43bf-9dcd-a13bb42edcb0",
    ],
  ]);
  const cancel = group
    .command("cancel")
    .description("cancel an operation and wait until it has ended")
    .argument("<NAME>", "operations/ID or ID")
    .action(lazyAction(async () => (await import("../actions/operations.js")).cancelOperation));
  addOutputOptions(addHostOptions(cancel));
  addExamples(cancel, [
    [
      "Cancel a backup that another client started",
      "holdfast operations cancel operations/bedc2904-d532-43bf-9dcd-a13bb42edcb0",
    ],
  ]);
}

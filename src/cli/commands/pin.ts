import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast pin` and `holdfast unpin`. */
export function addPin(program: Command): void {
  const pin = program
    .command("pin")
    .description("keep a backup: neither prune nor the retention of policies removes it")
    .argument("<DEST>", "destination of the backups, as seen by the host: a path or URI")
    .argument("<NAME>", "name of the backup, as shown by holdfast list")
    .option("--reason <TEXT>", "why, stored beside the backup (default: none)")
    .action(lazyAction(async () => (await import("../actions/pin.js")).pin));
  addOutputOptions(addHostOptions(pin));
  addExamples(pin, [
    [
      "Before a migration",
      "holdfast pin /backups/shop manifest-0000000042-83980ab252ac6a6c.json --reason 'before 2.0'",
    ],
  ]);
  const unpin = program
    .command("unpin")
    .description("remove the pin of a backup")
    .argument("<DEST>", "destination of the backups, as seen by the host: a path or URI")
    .argument("<NAME>", "name of the backup")
    .action(lazyAction(async () => (await import("../actions/pin.js")).unpin));
  addOutputOptions(addHostOptions(unpin));
  addExamples(unpin, [
    [
      "Let retention decide again",
      "holdfast unpin /backups/shop manifest-0000000042-83980ab252ac6a6c.json",
    ],
  ]);
}

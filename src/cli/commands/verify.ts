import { Option, type Command } from "commander";
import { addDetach, addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { addDecryption } from "./encryption.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast verify`. */
export function addVerify(program: Command): void {
  const command = program
    .command("verify")
    .description("verify a backup: its files, some rows, all rows, or a test restore")
    .argument("<SOURCE>", "backup: a path or URI")
    .option("--backup <NAME>", "backup in the directory (default: the newest)")
    .addOption(
      new Option("--level <LEVEL>", "extent of the verification")
        .choices(["metadata", "sample", "full", "test-restore"])
        .default("full"),
    )
    .option("--percent <N>", "sample: percentage of rows to read, 1 to 100 (default: 5)")
    .option(
      "--compare",
      "test-restore on a host: compare each document with the live index at the time of the backup",
    )
    .action(lazyAction(async () => (await import("../actions/verify.js")).verify));
  addOutputOptions(addHostOptions(addDetach(addDecryption(command)), { offline: true }));
  addExamples(command, [
    ["Check all digests, rows and counts, without a host", "holdfast verify /backups/shop"],
    ["Restore to a temporary index", "holdfast verify /backups/shop.zip --level test-restore"],
    [
      "On the host, which records the result",
      "holdfast verify /backups/shop --address 127.0.0.1:8001",
    ],
  ]);
}

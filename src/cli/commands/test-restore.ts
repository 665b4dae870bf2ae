import type { Command } from "commander";
import { addDetach, addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";
import { addDecryption } from "./encryption.js";

/** Adds `holdfast test-restore`. */
export function addTestRestore(program: Command): void {
  const command = program
    .command("test-restore")
    .description(
      "restore a backup to a temporary index; on a host, compare its documents with the live index",
    )
    .argument("<SOURCE>", "backup: a path or URI")
    .option("--backup <NAME>", "backup in the directory (default: the newest)")
    .action(lazyAction(async () => (await import("../actions/test-restore.js")).testRestore));
  addOutputOptions(addHostOptions(addDetach(addDecryption(command)), { offline: true }));
  addExamples(command, [
    ["Without a host", "holdfast test-restore /backups/shop"],
    [
      "Compare each document with the live index",
      "holdfast test-restore /backups/shop --address 127.0.0.1:8001",
    ],
  ]);
}

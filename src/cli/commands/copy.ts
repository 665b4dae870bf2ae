import type { Command } from "commander";
import { addDetach, addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast copy`. */
export function addCopy(program: Command): void {
  const command = program
    .command("copy")
    .description("copy a backup to another destination, and verify the copy by reading it back")
    .argument("<SOURCE>", "directory of backups: a path or URI")
    .argument("<DEST>", "destination: a path, or a file: or s3: URI")
    .option("--backup <NAME>", "backup in the directory (default: the newest)")
    .option(
      "--catch-up",
      "also copy the earlier backups of the index that are newer than those at the destination",
    )
    .option(
      "--request-id <ID>",
      "idempotency key: repeating the command returns the first operation (default: none)",
    )
    .action(lazyAction(async () => (await import("../actions/copy.js")).copy));
  addOutputOptions(addHostOptions(addDetach(command), { offline: true }), { times: true });
  addExamples(command, [
    ["To a bucket, without a host", "holdfast copy /backups/shop s3://bucket/shop"],
    [
      "All that were written since the last copy",
      "holdfast copy /backups/shop /mnt/usb/shop --catch-up",
    ],
    ["On the host", "holdfast copy /backups/shop s3://bucket/shop --address 127.0.0.1:8001"],
  ]);
}

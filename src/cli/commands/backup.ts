import { Option, type Command } from "commander";
import { addDetach, addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { addEncryption } from "./encryption.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast backup`. */
export function addBackup(program: Command): void {
  const command = program
    .command("backup")
    .description("back up an index of a running host, and verify the backup by reading it back")
    .argument(
      "<DEST>",
      "destination, as seen by the host: a directory, a .zip file, or a file:, http:, https: or s3: URI",
    )
    .addOption(
      new Option("--type <TYPE>", "container format (default: derived from DEST)").choices([
        "zip",
        "directory",
      ]),
    )
    .option("--index <LINK>", "index to back up (default: /core/document-index)")
    .option("--store", "zip: store files without compression")
    .option("--full", "directory: write a new base instead of a delta")
    .option(
      "--lock-until <TIME>",
      "s3: time or duration (30d) until which the store refuses to remove the backup (default: no lock)",
    )
    .addOption(
      new Option(
        "--lock-mode <MODE>",
        "s3: whether a user with a special permission can end the lock (default: governance, yes)",
      ).choices(["governance", "compliance"]),
    )
    .addOption(
      new Option(
        "--compression <KIND>",
        "directory: compression of new segments (default: none in a local directory, otherwise zstd, or gzip on Node before 22.15)",
      ).choices(["none", "gzip", "zstd"]),
    )
    .option("--no-verify", "http(s): skip verification of the uploaded backup")
    .option(
      "--bearer-file <FILE>",
      "http(s): file that contains the bearer token for DEST (default: none)",
    )
    .option(
      "--request-id <ID>",
      "idempotency key: repeating the command returns the first operation (default: none)",
    )
    .option("--dry-run", "show what would be copied without copying it")
    .action(lazyAction(async () => (await import("../actions/backup.js")).backup));
  addOutputOptions(addHostOptions(addDetach(addEncryption(command))), { times: true });
  addExamples(command, [
    ["To a directory; later backups write only what has changed", "holdfast backup /backups/shop"],
    ["To a single file", "holdfast backup file:/backups/shop.zip --type zip"],
    ["Show what would be copied, and its size", "holdfast backup /backups/shop --dry-run"],
    [
      "To a bucket, encrypted, and locked for 30 days",
      "holdfast backup s3://bucket/shop --recipient age1... --lock-until 30d",
    ],
    ["Start the backup and return at once", "holdfast backup /backups/shop --detach"],
  ]);
}

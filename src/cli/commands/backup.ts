import { Option, type Command } from "commander";
import { addDetach, addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

export function addBackup(program: Command): void {
  const command = program
    .command("backup")
    .description(
      "back up an index of a running host while it is in use, read the backup back and check it",
    )
    .argument(
      "<DEST>",
      "where to: a directory, a file that ends with .zip, or a file:, http: or https: URI, as the host sees it",
    )
    .addOption(
      new Option("--type <TYPE>", "how it is packed (default: by the name)").choices([
        "zip",
        "directory",
      ]),
    )
    .option("--index <LINK>", "the index (default /core/document-index)")
    .option("--store", "zip: store the files instead of compressing them")
    .option("--full", "directory: write everything anew even where what has changed would do")
    .option("--no-verify", "http(s): do not read back what was sent")
    .option("--bearer-file <FILE>", "http(s): a file that holds the token for the destination")
    .option(
      "--request-id <ID>",
      "makes the command safe to repeat: a second one with this id finds the first one's operation",
    )
    .option("--dry-run", "show what would be copied, and do nothing")
    .action(lazyAction(async () => (await import("../actions/backup.js")).backup));
  addOutputOptions(addHostOptions(addDetach(command)));
  addExamples(command, [
    [
      "To a directory; the next time only what has changed is written",
      "holdfast backup /backups/shop",
    ],
    ["To one file", "holdfast backup file:/backups/shop.zip --type zip"],
    ["What would be copied, and how large it is", "holdfast backup /backups/shop --dry-run"],
    ["Start it and go on", "holdfast backup /backups/shop --detach"],
  ]);
}

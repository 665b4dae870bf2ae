import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions, addSelection } from "../options.js";
import { addDecryption } from "./encryption.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast export`. */
export function addExport(program: Command): void {
  const command = program
    .command("export")
    .description("export the documents of a backup or the live index as NDJSON, one per line")
    .argument("[SOURCE]", "backup: a path or URI (default: the live index of a host)")
    .option("--at <TIME>", "point in time (default: the latest)")
    .option("--backup <NAME>", "backup in the directory (default: the newest)")
    .option("--index <LINK>", "live index to export (default: /core/document-index)")
    .option(
      "-o, --output <FILE>",
      "file to write, replaced only once complete (default: standard output)",
    );
  addSelection(command).action(
    lazyAction(async () => (await import("../actions/export.js")).exportDocuments),
  );
  addOutputOptions(addHostOptions(addDecryption(command), { offline: true }));
  addExamples(command, [
    ["A backup, without a host", "holdfast export /backups/shop -o shop.ndjson"],
    ["The live index as of one hour ago", "holdfast export --at '1h ago' | gzip > shop.ndjson.gz"],
    ["One document of a ZIP file", "holdfast export /backups/shop.zip --link /core/examples/ada"],
  ]);
}

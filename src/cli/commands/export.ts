import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions, addSelection } from "../options.js";
import { lazyAction } from "../lazy-action.js";

export function addExport(program: Command): void {
  const command = program
    .command("export")
    .description(
      "write the documents of a backup, or of the live index, as NDJSON: a line of JSON each",
    )
    .argument("[SOURCE]", "a backup: a path or URI (default: the live index of a host)")
    .option("--at <TIME>", "the moment (default: all of it)")
    .option("--backup <NAME>", "one backup of the directory (default: the newest)")
    .option("--index <LINK>", "the live index (default /core/document-index)")
    .option(
      "-o, --output <FILE>",
      "a file, which gets its name when all is in it (default: standard output)",
    );
  addSelection(command).action(
    lazyAction(async () => (await import("../actions/export.js")).exportDocuments),
  );
  addOutputOptions(addHostOptions(command, { offline: true }));
  addExamples(command, [
    ["A backup, with no host", "holdfast export /backups/shop -o shop.ndjson"],
    ["The live index as it was", "holdfast export --at '1h ago' | gzip > shop.ndjson.gz"],
    ["One document of a ZIP file", "holdfast export /backups/shop.zip --link /core/examples/ada"],
  ]);
}

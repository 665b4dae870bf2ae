import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions, collect } from "../options.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast import`. */
export function addImport(program: Command): void {
  const command = program
    .command("import")
    .description(
      "import documents from NDJSON, or copy them from a live Xenon host and verify that both sides match",
    )
    .argument(
      "[FILE]",
      "NDJSON file, one document with its documentSelfLink per line; - for standard input",
    )
    .option(
      "--factory <PATH>",
      "factory of the documents, required; repeatable with --from-xenon",
      collect,
    )
    .option("--skip <N>", "number of documents to skip at the start of FILE (default: 0)")
    .option(
      "--from-xenon <URL>",
      "copy from this Xenon host instead of FILE, for example http://old-host:8000 (default: none)",
    )
    .option(
      "--to <URL>",
      "from-xenon: HTTP URL of the host to copy to (default: http://127.0.0.1:8000)",
    )
    .option(
      "--all-versions",
      "from-xenon: copy all retained versions and deleted documents, not only the latest versions",
    )
    .option("--index <LINK>", "from-xenon: index on both hosts (default: /core/document-index)")
    .option(
      "--work-dir <DIR>",
      "from-xenon: directory for copied data, which makes repeated runs incremental (default: holdfast-import-HOST-PORT)",
    )
    .option("--page-size <N>", "from-xenon: documents per page, 1 to 9999 (default: 500)")
    .option(
      "--replace",
      "from-xenon: replace existing content of the index, which holdfast undo can revert",
    )
    .action(lazyAction(async () => (await import("../actions/import.js")).importDocuments));
  addOutputOptions(addHostOptions(command));
  addExamples(command, [
    [
      "Import the output of holdfast export --prefix /core/examples/",
      "holdfast import shop.ndjson --factory /core/examples",
    ],
    [
      "Resume an interrupted import, which printed the number of imported documents",
      "holdfast import shop.ndjson --factory /core/examples --skip 20000",
    ],
    [
      "Migrate from Xenon; repeating the command copies what has changed since",
      "holdfast import --from-xenon http://old-host:8000 --factory /core/examples --all-versions",
    ],
  ]);
}

import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions, collect } from "../options.js";
import { lazyAction } from "../lazy-action.js";

export function addImport(program: Command): void {
  const command = program
    .command("import")
    .description(
      "write documents from NDJSON into a factory, or copy those of a live Xenon host and prove that both sides hold the same",
    )
    .argument("[FILE]", "NDJSON, a document a line with its documentSelfLink; - for standard input")
    .option("--factory <PATH>", "the factory they belong to; with --from-xenon repeatable", collect)
    .option("--skip <N>", "documents at the beginning that an earlier import has written")
    .option(
      "--from-xenon <URL>",
      "copy from this Xenon host in place of a file, for example http://old-host:8000",
    )
    .option(
      "--to <URL>",
      "from-xenon: the HTTP port of the host to copy into (default http://127.0.0.1:8000)",
    )
    .option(
      "--all-versions",
      "from-xenon: every version that is kept, deleted documents too; otherwise the latest of each",
    )
    .option("--index <LINK>", "from-xenon: the index, on both sides (default /core/document-index)")
    .option(
      "--work-dir <DIR>",
      "from-xenon: where what was copied is kept, so that the next run fetches only what changed (default holdfast-import-HOST-PORT)",
    )
    .option("--page-size <N>", "from-xenon: documents in one page (default 500)")
    .option(
      "--replace",
      "from-xenon: put aside what the index holds that does not come from this import",
    )
    .action(lazyAction(async () => (await import("../actions/import.js")).importDocuments));
  addOutputOptions(addHostOptions(command));
  addExamples(command, [
    [
      "What holdfast export --prefix /core/examples/ wrote",
      "holdfast import shop.ndjson --factory /core/examples",
    ],
    [
      "Go on where one was cut, which said how far it came",
      "holdfast import shop.ndjson --factory /core/examples --skip 20000",
    ],
    [
      "A move from Xenon; the same command again fetches what changed since",
      "holdfast import --from-xenon http://old-host:8000 --factory /core/examples --all-versions",
    ],
  ]);
}

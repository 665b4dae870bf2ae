import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

const link = ["<LINK>", "link of the document, for example /core/examples/ada"] as const;
const index = [
  "--index <LINK>",
  "index to read, for example of holdfast open (default: that of the documents)",
] as const;
const body = ["[BODY]", "JSON text, a file, or - for standard input (default: -)"] as const;

/** Adds the commands of `holdfast documents`. */
export function addDocuments(program: Command): void {
  const group = program.command("documents").description("read and write documents of a host");
  addReads(group);
  addCompare(group);
  const put = group
    .command("put")
    .description("replace a document, or create it if it does not exist")
    .argument(...link)
    .argument(...body);
  addExpectedVersion(put).action(
    lazyAction(async () => (await import("../actions/documents.js")).putDocument),
  );
  addCommonOptions(put, [
    ["JSON as an argument", `holdfast documents put /core/examples/ada '{"name":"Ada"}'`],
    [
      "JSON from a file, only if the document is still at version 3",
      "holdfast documents put /core/examples/ada ada.json --expected-version 3",
    ],
  ]);
  const patch = group
    .command("patch")
    .description("update fields of a document")
    .argument(...link)
    .argument(...body);
  addExpectedVersion(patch).action(
    lazyAction(async () => (await import("../actions/documents.js")).patchDocument),
  );
  addCommonOptions(patch, [
    ["Update one field", `holdfast documents patch /core/examples/ada '{"counter":2}'`],
  ]);
  const remove = group
    .command("delete")
    .description("delete a document; its version history is kept")
    .argument(...link);
  addExpectedVersion(remove).action(
    lazyAction(async () => (await import("../actions/documents.js")).deleteDocument),
  );
  addCommonOptions(remove, [
    ["Delete one document", "holdfast documents delete /core/examples/ada"],
  ]);
}

function addReads(group: Command): void {
  const get = group
    .command("get")
    .description("print the stored JSON of a document")
    .argument(...link)
    .option("--version <N>", "version to print, which may be a deleted one (default: the latest)")
    .option("--at <TIME>", "point in time of the version (default: the latest)")
    .option(...index)
    .action(lazyAction(async () => (await import("../actions/documents.js")).getDocument));
  addCommonOptions(get, [
    ["The latest version", "holdfast documents get /core/examples/ada"],
    ["The first version", "holdfast documents get /core/examples/ada --version 0"],
  ]);
  const list = group
    .command("list")
    .description("list the documents of a factory")
    .argument("<FACTORY>", "path of the factory, for example /core/examples")
    .option("--filter <CONDITION>", "OData filter expression (default: none)")
    .option("--order <ORDER>", "OData orderby expression (default: none)")
    .option("--at <TIME>", "list the documents as of a point in time (default: now)")
    .option(...index)
    .option("--limit <N>", "maximum number to list (default: no limit)")
    .option("--bodies", "print the JSON of each document, one per line")
    .action(lazyAction(async () => (await import("../actions/documents.js")).listDocuments));
  addCommonOptions(list, [
    [
      "Filtered and sorted",
      `holdfast documents list /core/examples --filter "counter gt 5" --order "name desc" --limit 10`,
    ],
  ]);
  const history = group
    .command("history")
    .description("list the versions of a document, newest first, including after its deletion")
    .argument(...link)
    .option(...index)
    .option("--limit <N>", "maximum number to list (default: no limit)")
    .option("--bodies", "print the JSON of each version, one per line")
    .action(lazyAction(async () => (await import("../actions/documents.js")).documentHistory));
  addCommonOptions(history, [
    ["All retained versions", "holdfast documents history /core/examples/ada"],
  ]);
}

function addCompare(group: Command): void {
  const compare = group
    .command("compare")
    .description("compare two versions of a document, field by field; exit code 1 if they differ")
    .argument(...link)
    .option("--from <VERSION|TIME>", "first version (default: the one before the second)")
    .option("--to <VERSION|TIME>", "second version (default: the latest)")
    .option("--from-index <LINK>", "index of the first version (default: that of the document)")
    .option("--to-index <LINK>", "index of the second version (default: that of the document)")
    .action(lazyAction(async () => (await import("../actions/compare-documents.js")).compare));
  addCommonOptions(compare, [
    ["What the last write changed", "holdfast documents compare /core/examples/ada"],
    [
      "What changed since an hour ago",
      "holdfast documents compare /core/examples/ada --from '1h ago'",
    ],
    [
      "What changed since an opened backup",
      "holdfast documents compare /core/examples/ada --from-index /core/opened-indexes/1f0c5a2e",
    ],
  ]);
}

const addExpectedVersion = (command: Command) =>
  command.option(
    "--expected-version <N>",
    "fail unless the document is at this version (default: no check)",
  );

function addCommonOptions(command: Command, examples: [string, string][]): void {
  addOutputOptions(addHostOptions(command), { times: true });
  addExamples(command, examples);
}

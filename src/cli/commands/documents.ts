import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

const link = ["<LINK>", "link of the document, for example /core/examples/ada"] as const;
const body = ["[BODY]", "JSON text, a file, or - for standard input (default: -)"] as const;

/** Adds the commands of `holdfast documents`. */
export function addDocuments(program: Command): void {
  const group = program.command("documents").description("read and write documents of a host");
  addReads(group);
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
    .option("--limit <N>", "maximum number to list (default: no limit)")
    .option("--bodies", "print the JSON of each version, one per line")
    .action(lazyAction(async () => (await import("../actions/documents.js")).documentHistory));
  addCommonOptions(history, [
    ["All retained versions", "holdfast documents history /core/examples/ada"],
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

import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

const link = ["<LINK>", "the document, for example /core/examples/ada"] as const;
const body = ["[BODY]", "JSON, a file that holds it, or - for standard input (default)"] as const;

export function addDocuments(program: Command): void {
  const group = program
    .command("documents")
    .description("read and write single documents of a host");
  addReads(group);
  const put = group
    .command("put")
    .description("replace a document, or make it where it is not there")
    .argument(...link)
    .argument(...body);
  expected(put).action(
    lazyAction(async () => (await import("../actions/documents.js")).putDocument),
  );
  finish(put, [
    ["From an argument", `holdfast documents put /core/examples/ada '{"name":"Ada"}'`],
    [
      "From a file, if nobody wrote it meanwhile",
      "holdfast documents put /core/examples/ada ada.json --expected-version 3",
    ],
  ]);
  const patch = group
    .command("patch")
    .description("lay fields over a document")
    .argument(...link)
    .argument(...body);
  expected(patch).action(
    lazyAction(async () => (await import("../actions/documents.js")).patchDocument),
  );
  finish(patch, [["One field", `holdfast documents patch /core/examples/ada '{"counter":2}'`]]);
  const remove = group
    .command("delete")
    .description("mark a document as deleted; its versions stay")
    .argument(...link);
  expected(remove).action(
    lazyAction(async () => (await import("../actions/documents.js")).deleteDocument),
  );
  finish(remove, [["One document", "holdfast documents delete /core/examples/ada"]]);
}

function addReads(group: Command): void {
  const get = group
    .command("get")
    .description("print a document as it is stored")
    .argument(...link)
    .option("--version <N>", "one of its versions, a deleted one too (default: the latest)")
    .action(lazyAction(async () => (await import("../actions/documents.js")).getDocument));
  finish(get, [
    ["The latest version", "holdfast documents get /core/examples/ada"],
    ["The first one", "holdfast documents get /core/examples/ada --version 0"],
  ]);
  const list = group
    .command("list")
    .description("show the documents of a factory")
    .argument("<FACTORY>", "for example /core/examples")
    .option("--filter <CONDITION>", "an OData condition")
    .option("--order <ORDER>", "an OData order")
    .option("--limit <N>", "at most so many (default: all)")
    .option("--bodies", "the documents themselves, a line of JSON each")
    .action(lazyAction(async () => (await import("../actions/documents.js")).listDocuments));
  finish(list, [
    [
      "By a condition",
      `holdfast documents list /core/examples --filter "counter gt 5" --order "name desc" --limit 10`,
    ],
  ]);
  const history = group
    .command("history")
    .description("show the versions of a document, newest first; they outlive it")
    .argument(...link)
    .option("--limit <N>", "at most so many (default: all)")
    .option("--bodies", "the versions themselves, a line of JSON each")
    .action(lazyAction(async () => (await import("../actions/documents.js")).documentHistory));
  finish(history, [["All that is kept", "holdfast documents history /core/examples/ada"]]);
}

const expected = (command: Command) =>
  command.option("--expected-version <N>", "refused unless this is the document's version");

function finish(command: Command, examples: [string, string][]): void {
  addOutputOptions(addHostOptions(command));
  addExamples(command, examples);
}

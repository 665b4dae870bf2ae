import { readFileSync } from "node:fs";
import { exitCode, HostError, reasons, type Reason } from "../src/errors.js";
import { commandTree, examplesOf } from "../src/cli/command-tree.js";
import { createProgram } from "../src/cli/program.js";
import { configurationReference } from "../src/cli/reference/configuration.js";
import { manPage } from "../src/cli/reference/man.js";
import { markdownReference } from "../src/cli/reference/markdown.js";

test("the generated references are up to date; npm run generate:cli writes them", () => {
  expect(readFileSync("docs/cli.md", "utf8")).toBe(markdownReference(createProgram()));
  expect(readFileSync("docs/holdfast.1", "utf8")).toBe(manPage(createProgram()));
  expect(readFileSync("docs/configuration.md", "utf8")).toBe(configurationReference());
});

test("every command has its own examples, and --quiet", () => {
  const leaves = commandTree(createProgram()).filter(({ children }) => children.length === 0);
  expect(leaves.length).toBeGreaterThan(20);
  for (const { path, command, options } of leaves) {
    const name = path.join(" ");
    expect({ name, examples: examplesOf(command) }).toEqual({
      name,
      examples: expect.stringContaining(`holdfast ${name}`),
    });
    expect({ name, hasQuiet: options.some(({ long }) => long === "--quiet") }).toEqual({
      name,
      hasQuiet: true,
    });
  }
});

test("the table of exit codes contains every possible code", () => {
  const codes = new Set(
    [...readFileSync("docs/cli.md", "utf8").matchAll(/^\| (\d+) \|/gm)].map(([, code]) =>
      Number(code),
    ),
  );
  for (const reason of Object.keys(reasons) as Reason[])
    expect({ reason, documented: codes.has(exitCode(new HostError(reason, ""))) }).toEqual({
      reason,
      documented: true,
    });
});

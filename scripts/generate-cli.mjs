// Writes docs/cli.md, docs/holdfast.1 and docs/configuration.md from the commands and settings. With
// --check, fails if one of them is not up to date.
import { readFileSync, writeFileSync } from "node:fs";
import { createProgram } from "../src/cli/program.ts";
import { configurationReference } from "../src/cli/reference/configuration.ts";
import { manPage } from "../src/cli/reference/man.ts";
import { markdownReference } from "../src/cli/reference/markdown.ts";

const check = process.argv.includes("--check");
let isStale = false;
for (const [path, text] of [
  ["docs/cli.md", markdownReference(createProgram())],
  ["docs/holdfast.1", manPage(createProgram())],
  ["docs/configuration.md", configurationReference()],
]) {
  if (!check) writeFileSync(path, text);
  else if (readFileSync(path, "utf8") !== text) {
    console.error(`${path} is out of date. Run: npm run generate:cli`);
    isStale = true;
  }
}
process.exitCode = isStale ? 1 : 0;

// Writes docs/cli.md and docs/holdfast.1 from the commands; with --check it fails where they are not current.
import { readFileSync, writeFileSync } from "node:fs";
import { createProgram } from "../src/cli/program.ts";
import { manPage } from "../src/cli/reference/man.ts";
import { markdownReference } from "../src/cli/reference/markdown.ts";

const check = process.argv.includes("--check");
let isStale = false;
for (const [path, text] of [
  ["docs/cli.md", markdownReference(createProgram())],
  ["docs/holdfast.1", manPage(createProgram())],
]) {
  if (!check) writeFileSync(path, text);
  else if (readFileSync(path, "utf8") !== text) {
    console.error(`${path} is not what the commands say: npm run generate:cli writes it.`);
    isStale = true;
  }
}
process.exitCode = isStale ? 1 : 0;

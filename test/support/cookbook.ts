import { readFileSync, writeFileSync } from "node:fs";
import { normalise, parseTranscript, runInShell, withOutputs, type Step } from "./transcript.js";

/** A name in the text, and its replacement in this run. */
export type Name = [shown: string, real: string];

const replaced = (text: string, pairs: Name[]) =>
  pairs.reduce((all, [from, to]) => all.replaceAll(from, to), text);
const realOf = (text: string, names: Name[]) => replaced(text, names);
const shownOf = (text: string, names: Name[]) =>
  replaced(
    text,
    names.map(([shown, real]): Name => [real, shown]),
  );

/** Replacements for other values that vary between runs: digests, dates, and sizes of archives. */
function comparable(text: string): string {
  return normalise(text)
    .replace(/\b[0-9a-f]{64}\b/g, "<sha256>")
    .replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "<time>")
    .replace(/\b(hourly|daily|weekly|monthly|yearly) \d{4}[-+:TW\d]*/g, "$1 <period>")
    .replace(/\b\d+(\.\d+)? [kMGT]?B\b(\/s)?/g, "<bytes>")
    .replace(/\b[\d,]+ records\/s/g, "<rate>")
    .replace(/\b(\d+[dhm] )+\d+[hms]\b/g, "<seconds>")
    .replace(/\bage1[0-9a-z]{58}\b/g, "<recipient>")
    .replace(/ {2,}/g, "  ")
    .replace(/\.sqlite\.(gz|zst)\b/g, ".sqlite.<compression>")
    .replace(/sha-256=:[A-Za-z0-9+/=]+:/g, "sha-256=:<base64>:")
    .replace(/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/g, "<date>")
    .replace(/(content-length: |"?(?:size|committed|bytes)\w*"?: ?"?)\d{4,}/gi, "$1<bytes>")
    .replace(/(bytes \d+)-\d{4,}\/\d+/g, "$1-<bytes>/<bytes>")
    .replace(/(bytes \d+-\d+)\/\d+/g, "$1/<bytes>");
}

const comparableSteps = (steps: Step[]) =>
  steps.map(({ command, output }) => ({ command, output: comparable(output) }));

/**
 * Runs the blocks ```console TAG of a Markdown file in one shell, with the names of this run, and compares their output
 * with the file. Blocks with the tag `before` run first and are verified by another test; the commands `after` run last.
 * With UPDATE_COOKBOOKS in the environment the output replaces that in the file.
 */
export async function runCookbook(
  file: string,
  tag: string,
  names: Name[],
  { before = "", after = [] }: { before?: string; after?: string[] } = {},
): Promise<void> {
  const text = readFileSync(file, "utf8");
  const steps = parseTranscript(text, tag);
  expect(steps.length).toBeGreaterThan(0);
  const begin = parseTranscript(text, before);
  const all = await runInShell(
    [...[...begin, ...steps].map(({ command }) => realOf(command, names)), ...after],
    120_000,
  );
  const outputs = all.slice(begin.length);
  const seen = steps.map(({ command }, i) => ({
    command,
    output: shownOf(outputs[i] ?? "the shell ended early", names).replace(/[ \t\r]+$/gm, ""),
  }));
  if (process.env["UPDATE_COOKBOOKS"])
    writeFileSync(
      file,
      withOutputs(
        text,
        tag,
        seen.map(({ output }) => output),
      ),
    );
  else expect(comparableSteps(seen)).toEqual(comparableSteps(steps));
}

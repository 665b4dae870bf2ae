import type { Command, Option } from "commander";
import { commandTree, examplesOf, type CommandEntry } from "../command-tree.js";
import { capitalize, connectionOptions, ownOptions, sharedOptions, valueNote } from "./markdown.js";
import { notes } from "./notes.js";

/** Returns the content of docs/holdfast.1, in the macros of man(7). */
export function manPage(program: Command): string {
  const entries = commandTree(program).filter(({ path }) => path.length > 0);
  const lines = [
    '.\\" Generated from the commands by npm run generate:cli. Do not edit.',
    ".TH HOLDFAST 1",
    ".SH NAME",
    `holdfast \\- ${escape(program.description().replace(/\.$/, "").replace(/^A /, "a "))}`,
    ".SH SYNOPSIS",
    ...entries
      .filter(({ children }) => children.length === 0)
      .flatMap(({ path, command }) => [
        `.B holdfast ${escape(path.join(" "))}`,
        escape(command.usage()),
        ".br",
      ]),
    ".SH COMMANDS",
    ...entries.filter(({ children }) => children.length === 0).flatMap(section),
    ".SH CONNECTION OPTIONS",
    ...listed(connectionOptions(entries)),
    ...notes.flatMap(({ title, text }) => [`.SH ${title.toUpperCase()}`, ...paragraphs(text)]),
  ];
  return `${lines.join("\n")}\n`;
}

function section({ path, command, options }: CommandEntry): string[] {
  const lines = [
    `.SS holdfast ${escape(path.join(" "))}`,
    `${escape(capitalize(command.description()))}.`,
  ];
  for (const argument of command.registeredArguments)
    lines.push(".TP", `.I ${escape(argument.name())}`, escape(argument.description));
  lines.push(...listed(ownOptions(options)));
  const shared = sharedOptions(options);
  if (shared !== "") lines.push(".PP", escape(`${shared.replaceAll("`", "")}.`));
  const examples = examplesOf(command);
  return examples === ""
    ? lines
    : [...lines, ".PP", "Examples:", ".PP", ".nf", ...examples.split("\n").map(escape), ".fi"];
}

const listed = (options: Option[]) =>
  options.flatMap((option) => [
    ".TP",
    `.B ${escape(option.flags)}`,
    escape(`${option.description}${valueNote(option)}`),
  ]);

/**
 * Converts the Markdown of notes.ts: tables, lists and code blocks to preformatted text, the rest
 * to paragraphs.
 */
function paragraphs(text: string): string[] {
  return text.split("\n\n").flatMap((part) => {
    const isPreformatted = /^(\||```|- )/.test(part);
    const plain = part
      .split("\n")
      .filter((line) => !/^(```|\|---)/.test(line))
      .map((line) =>
        escape(
          line
            .replace(/\[([^\]]+)\]\([^)]*\)/g, "$1")
            .replaceAll("`", "")
            .replace(/^\| ?| ?\|$/g, ""),
        ),
      );
    return isPreformatted ? [".PP", ".nf", ...plain, ".fi"] : [".PP", ...plain];
  });
}

function escape(text: string): string {
  const escaped = text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

import type { Command, Option } from "commander";
import { commandTree, examplesOf, type CommandEntry } from "../command-tree.js";
import { alsoTakes, capital, connectionOptions, ownOptions } from "./markdown.js";
import { notes } from "./notes.js";

/** docs/holdfast.1 in the macros of man(7). */
export function manPage(program: Command): string {
  const entries = commandTree(program).filter(({ path }) => path.length > 0);
  const lines = [
    '.\\" Made by npm run generate:cli from the commands themselves.',
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
    `${escape(capital(command.description()))}.`,
  ];
  for (const one of command.registeredArguments)
    lines.push(".TP", `.I ${escape(one.name())}`, escape(one.description));
  lines.push(...listed(ownOptions(options)));
  const also = alsoTakes(options);
  if (also !== "") lines.push(".PP", escape(`${also.replaceAll("`", "")}.`));
  const examples = examplesOf(command);
  return examples === ""
    ? lines
    : [...lines, ".PP", "Examples:", ".PP", ".nf", ...examples.split("\n").map(escape), ".fi"];
}

const listed = (options: Option[]) =>
  options.flatMap((one) => [".TP", `.B ${escape(one.flags)}`, escape(one.description)]);

/** Markdown of notes.ts: tables and blocks as they stand, the rest as paragraphs. */
function paragraphs(text: string): string[] {
  return text.split("\n\n").flatMap((part) => {
    const asItStands = /^(\||```|- )/.test(part);
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
    return asItStands ? [".PP", ".nf", ...plain, ".fi"] : [".PP", ...plain];
  });
}

function escape(text: string): string {
  const escaped = text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

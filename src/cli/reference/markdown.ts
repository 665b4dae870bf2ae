import type { Command, Option } from "commander";
import { commandTree, examplesOf, type CommandEntry } from "../command-tree.js";
import { notes } from "./notes.js";

/** Returns the content of docs/cli.md: general notes, then the help of each command. */
export function markdownReference(program: Command): string {
  const entries = commandTree(program).filter(({ path }) => path.length > 0);
  const contents = entries.map(
    ({ path, command }) =>
      `${"  ".repeat(path.length - 1)}- [${path.join(" ")}](#holdfast-${path.join("-")}): ${command.description()}`,
  );
  const head = [
    "# Command line",
    "",
    "<!-- Generated from the commands by npm run generate:cli. Do not edit. -->",
    "",
    ...contents,
    "",
  ];
  const general = notes.flatMap(({ title, text }) => [`## ${title}`, "", text, ""]);
  const connection = ["## Connection options", "", ...optionTable(connectionOptions(entries))];
  return `${[...head, ...general, ...connection, ...entries.flatMap(section)].join("\n").trimEnd()}\n`;
}

function section(entry: CommandEntry): string[] {
  const { path, command, options, children } = entry;
  const name = ["holdfast", ...path].join(" ");
  const lines = [
    `## ${name}`,
    "",
    `${capitalize(command.description())}.`,
    "",
    "```",
    `${name} ${command.usage()}`,
    "```",
    "",
  ];
  if (children.length > 0) return lines;
  const args = command.registeredArguments;
  if (args.length > 0)
    lines.push(
      "| argument | |",
      "|---|---|",
      ...args.map((arg) => `| \`${arg.name()}\` | ${cell(arg.description)} |`),
      "",
    );
  const own = ownOptions(options);
  if (own.length > 0) lines.push(...optionTable(own));
  const shared = sharedOptions(options);
  if (shared !== "") lines.push(`${shared}.`, "");
  const examples = examplesOf(command);
  return examples === "" ? lines : [...lines, "```sh", examples, "```", ""];
}

const optionTable = (options: Option[]) => [
  "| option | |",
  "|---|---|",
  ...options.map(
    (option) => `| \`${option.flags}\` | ${cell(`${option.description}${valueNote(option)}`)} |`,
  ),
  "",
];

const isConnection = ({ helpGroupHeading }: Option) => helpGroupHeading === "Connection:";

/** Returns the options that are specific to a command. */
export const ownOptions = (options: Option[]): Option[] =>
  options.filter(
    ({ helpGroupHeading, long }) =>
      (helpGroupHeading === undefined || helpGroupHeading === "Encryption:") && long !== "--help",
  );

/** Returns the options that select a host, which many commands share. */
export const connectionOptions = (entries: CommandEntry[]): Option[] =>
  entries.find(({ path }) => path[0] === "list")?.options.filter(isConnection) ?? [];

/**
 * Returns a sentence that lists the shared options of a command, without a period; "" if it has
 * none.
 */
export function sharedOptions(options: Option[]): string {
  const has = (long: string) => options.some((option) => option.long === long);
  const parts = [
    ...(options.some(isConnection)
      ? [has("--offline") ? "the connection options with `--offline`" : "the connection options"]
      : []),
    ...["--json", "--micros", "--quiet"].filter(has).map((name) => `\`${name}\``),
  ];
  return parts.length > 0 ? `Also: ${parts.join(", ")}` : "";
}

/** Returns the choices and the default of an option in parentheses; "" if it has neither. */
export function valueNote({
  argChoices,
  defaultValue,
}: {
  argChoices?: string[];
  defaultValue?: unknown;
}): string {
  const parts = [
    ...(argChoices ? [`one of: ${argChoices.join(", ")}`] : []),
    ...(typeof defaultValue === "string" ? [`default: ${defaultValue}`] : []),
  ];
  return parts.length > 0 ? ` (${parts.join("; ")})` : "";
}

/** Capitalizes the first letter. */
export const capitalize = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const cell = (text: string): string => text.replaceAll("|", "\\|");

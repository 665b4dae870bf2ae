import type { Command, Option } from "commander";
import { commandTree, examplesOf, type CommandEntry } from "../command-tree.js";
import { notes } from "./notes.js";

/** docs/cli.md: what is general first, then each command as its help has it. */
export function markdownReference(program: Command): string {
  const entries = commandTree(program).filter(({ path }) => path.length > 0);
  const contents = entries.map(
    ({ path, command }) =>
      `${"  ".repeat(path.length - 1)}- [${path.join(" ")}](#holdfast-${path.join("-")}): ${command.description()}`,
  );
  const head = [
    "# The command line",
    "",
    "<!-- Made by npm run generate:cli from the commands themselves. -->",
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
    `${capital(command.description())}.`,
    "",
    "```",
    `${name} ${command.usage()}`,
    "```",
    "",
  ];
  if (children.length > 0) return lines;
  const given = command.registeredArguments;
  if (given.length > 0)
    lines.push(
      "| argument | |",
      "|---|---|",
      ...given.map((one) => `| \`${one.name()}\` | ${cell(one.description)} |`),
      "",
    );
  const shown = ownOptions(options);
  if (shown.length > 0) lines.push(...optionTable(shown));
  const also = alsoTakes(options);
  if (also !== "") lines.push(`${also}.`, "");
  const examples = examplesOf(command);
  return examples === "" ? lines : [...lines, "```sh", examples, "```", ""];
}

const optionTable = (options: Option[]) => [
  "| option | |",
  "|---|---|",
  ...options.map((one) => `| \`${one.flags}\` | ${cell(one.description)}${extra(one)} |`),
  "",
];

const isConnection = ({ helpGroupHeading }: Option) => helpGroupHeading === "Connection:";

/** Those that only this command has, or that mean something of their own here. */
export const ownOptions = (options: Option[]): Option[] =>
  options.filter((one) => one.helpGroupHeading === undefined && one.long !== "--help");

/** Those to speak to a host with, which many commands share. */
export const connectionOptions = (entries: CommandEntry[]): Option[] =>
  entries.find(({ path }) => path[0] === "list")?.options.filter(isConnection) ?? [];

/** What a command takes beside its own options. */
export function alsoTakes(options: Option[]): string {
  const has = (long: string) => options.some((one) => one.long === long);
  const parts = [
    ...(options.some(isConnection)
      ? [has("--offline") ? "the connection options with `--offline`" : "the connection options"]
      : []),
    ...["--json", "--quiet"].filter(has).map((one) => `\`${one}\``),
  ];
  return parts.length > 0 ? `Also: ${parts.join(", ")}` : "";
}

function extra({
  argChoices,
  defaultValue,
}: {
  argChoices?: string[];
  defaultValue?: unknown;
}): string {
  const parts = [
    ...(argChoices ? [argChoices.join(", ")] : []),
    ...(typeof defaultValue === "string" ? [`default ${defaultValue}`] : []),
  ];
  return parts.length > 0 ? ` (${parts.join("; ")})` : "";
}

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const cell = (text: string): string => text.replaceAll("|", "\\|");

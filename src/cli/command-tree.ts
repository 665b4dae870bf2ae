import type { Command, Option } from "commander";

/** A command with what its help lists. */
export interface CommandEntry {
  /**
   * Words of the command after "holdfast", for example ["operations", "list"]; empty for the
   * program.
   */
  path: string[];
  command: Command;
  /** Names of the subcommands. */
  children: string[];
  /** Options that the help shows. */
  options: Option[];
}

/** Returns the program and all its commands; a parent precedes its subcommands. */
export function commandTree(program: Command): CommandEntry[] {
  const visit = (command: Command, path: string[]): CommandEntry[] => {
    const children = command.commands.filter((child) => child.name() !== "help");
    const help = command.createHelp();
    return [
      {
        path,
        command,
        children: children.map((child) => child.name()),
        options: [...help.visibleOptions(command)],
      },
      ...children.flatMap((child) => visit(child, [...path, child.name()])),
    ];
  };
  return visit(program, []);
}

/**
 * Returns the lines below "Examples:" in a command's help, without indentation; "" if it has none.
 */
export function examplesOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp();
  const start = text.lastIndexOf("\nExamples:\n");
  return start < 0
    ? ""
    : text
        .slice(start + "\nExamples:\n".length)
        .trimEnd()
        .split("\n")
        .map((line) => line.replace(/^ {2}/, ""))
        .join("\n");
}

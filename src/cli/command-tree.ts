import type { Command, Option } from "commander";

/** A command as its help has it. */
export interface CommandEntry {
  /** For example ["operations", "list"]; empty for the program. */
  path: string[];
  command: Command;
  children: string[];
  options: Option[];
}

/** The program and all commands below it, each before those below it. */
export function commandTree(program: Command): CommandEntry[] {
  const visit = (command: Command, path: string[]): CommandEntry[] => {
    const children = command.commands.filter((one) => one.name() !== "help");
    const help = command.createHelp();
    return [
      {
        path,
        command,
        children: children.map((one) => one.name()),
        options: [...help.visibleOptions(command)],
      },
      ...children.flatMap((one) => visit(one, [...path, one.name()])),
    ];
  };
  return visit(program, []);
}

/** The lines below "Examples:" in a command's help, without their indentation. */
export function examplesOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp();
  const at = text.lastIndexOf("\nExamples:\n");
  return at < 0
    ? ""
    : text
        .slice(at + "\nExamples:\n".length)
        .trimEnd()
        .split("\n")
        .map((line) => line.replace(/^ {2}/, ""))
        .join("\n");
}

import { createInterface } from "node:readline/promises";
import { HostError } from "../errors.js";
import { printableLines } from "./output/printable.js";
import type { CommandContext } from "./command-context.js";

/**
 * Asks on a terminal; off one, or with --json, it takes --yes. False: the answer was no. `fixed` has other values for
 * options of the command that is shown, such as the very moment in place of "15m ago".
 */
export async function confirm(
  context: CommandContext,
  question: string,
  yes: boolean | undefined,
  fixed: Record<string, string> = {},
): Promise<boolean> {
  if (yes) return true;
  if (context.json || !process.stdin.isTTY || !process.stderr.isTTY) {
    const command = `${commandLine(process.argv.slice(2), fixed)} --yes`;
    throw new HostError(
      "CONFIRMATION_NEEDED",
      `This replaces or removes something, and nobody can be asked here. Nothing was changed. If it is meant: ${command}`,
      { metadata: { command } },
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // On a terminal in raw mode Ctrl-C is a key of readline's; it means the same.
  terminal.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    const answer = await terminal.question(`${printableLines(question)} [y/N] `, {
      signal: context.abort.signal,
    });
    return /^y(es)?$/i.test(answer.trim());
  } catch (thrown) {
    context.abort.signal.throwIfAborted();
    // Ctrl-D: no answer is not yes.
    if ((thrown as Error).name === "AbortError") return false;
    throw thrown;
  } finally {
    terminal.close();
  }
}

/** What a command ends with whose question was answered with no: what was to come after it in a script does not. */
export function declined(context: CommandContext): number {
  context.printNote("Nothing was changed.");
  return 130;
}

/** The command as it was given, quoted for a shell, without its token and the query of a URL, either of which may be a secret. */
export function commandLine(words: readonly string[], fixed: Record<string, string>): string {
  const values: Record<string, string> = { ...fixed, "--token": "TOKEN" };
  const shown = words.map((word, at) => {
    const [, name = "", hasValue] = /^(--[a-z-]+)(=)?/.exec(word) ?? [];
    if (hasValue && values[name] !== undefined) return quote(`${name}=${values[name]}`);
    return quote(values[words[at - 1] ?? ""] ?? word.replace(/^(https?:[^?]*\?).*$/is, "$1..."));
  });
  return ["holdfast", ...shown].join(" ");
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

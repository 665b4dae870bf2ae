import { createInterface } from "node:readline/promises";
import { HostError } from "../errors.js";
import { printableLines } from "./output/printable.js";
import type { CommandContext } from "./command-context.js";

/**
 * Asks a yes/no question on the terminal and returns the answer; returns true without asking if
 * `yes` is set. Throws CONFIRMATION_NEEDED if it cannot prompt (no terminal, or --json); its
 * message shows the command to run with --yes. `resolvedOptions` replaces option values in that
 * command, for example a relative time with the time it resolved to.
 */
export async function confirm(
  context: CommandContext,
  question: string,
  yes: boolean | undefined,
  resolvedOptions: Record<string, string> = {},
): Promise<boolean> {
  if (yes) return true;
  if (context.json || !process.stdin.isTTY || !process.stderr.isTTY) {
    const command = `${commandLine(process.argv.slice(2), resolvedOptions)} --yes`;
    const why = context.json
      ? "--json disables prompts"
      : "standard input or standard error is not a terminal";
    throw new HostError(
      "CONFIRMATION_NEEDED",
      `Cannot prompt for confirmation: ${why}. Nothing was changed. To proceed without a prompt: ${command}`,
      { metadata: { command } },
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // readline puts the terminal into raw mode, where Ctrl-C is a key and raises no signal.
  terminal.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    const answer = await terminal.question(`${printableLines(question)} [y/N] `, {
      signal: context.abort.signal,
    });
    return /^y(es)?$/i.test(answer.trim());
  } catch (thrown) {
    context.abort.signal.throwIfAborted();
    // Ctrl-D closes the input without an answer, which counts as no.
    if ((thrown as Error).name === "AbortError") return false;
    throw thrown;
  } finally {
    terminal.close();
  }
}

/** Reports that the user declined, and returns the exit code for it, which stops a script. */
export function declined(context: CommandContext): number {
  context.printNote("Nothing was changed.");
  return 130;
}

/**
 * Returns the command line that reproduces `words`, quoted for a shell. Replaces the values of
 * `resolvedOptions`, and hides what may be secret: the value of --token and the query of URLs.
 */
export function commandLine(
  words: readonly string[],
  resolvedOptions: Record<string, string>,
): string {
  const values: Record<string, string> = { ...resolvedOptions, "--token": "TOKEN" };
  const shown = words.map((word, i) => {
    const [, name = "", hasValue] = /^(--[a-z-]+)(=)?/.exec(word) ?? [];
    if (hasValue && values[name] !== undefined) return quote(`${name}=${values[name]}`);
    return quote(values[words[i - 1] ?? ""] ?? word.replace(/^(https?:[^?]*\?).*$/is, "$1..."));
  });
  return ["holdfast", ...shown].join(" ");
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

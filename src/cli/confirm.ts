import { createInterface } from "node:readline/promises";
import { HostError } from "../errors.js";
import type { Run } from "./run.js";

/** Asks on a terminal; off one, or with --json, it takes --yes. False: the answer was no. */
export async function confirm(run: Run, question: string, yes: boolean | undefined): Promise<boolean> {
  if (yes) return true;
  if (run.json || !process.stdin.isTTY || !process.stderr.isTTY) {
    const command = `${typed()} --yes`;
    throw new HostError("CONFIRMATION_NEEDED", `This replaces or removes something, and nobody can be asked here. Nothing was changed. If it is meant: ${command}`, { metadata: { command } });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // On a terminal in raw mode Ctrl-C is a key of readline's; it means the same.
  terminal.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    const answer = await terminal.question(`${question} [y/N] `, { signal: run.stops.signal });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

/** The command as it was given, quoted for a shell, without secrets. */
function typed(): string {
  const words = process.argv.slice(2);
  const shown = words.map((word, at) => {
    if (/^--token=/.test(word)) return "--token=TOKEN";
    return at > 0 && words[at - 1] === "--token" ? "TOKEN" : quote(word);
  });
  return ["holdfast", ...shown].join(" ");
}

export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

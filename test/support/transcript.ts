import { spawn } from "node:child_process";

/** A command of a transcript and its output. */
export interface Step {
  command: string;
  output: string;
}

/**
 * The steps in the blocks ```console TAG of a Markdown text: a line that starts with "$ " is a command, one with "> "
 * after it continues the command, all others are its output.
 */
export function parseTranscript(markdown: string, tag: string): Step[] {
  const steps: Step[] = [];
  for (const [, info, block = ""] of markdown.matchAll(/^```console (\w+)\n(.*?)^```$/gms)) {
    if (info !== tag) continue;
    for (const line of block.split("\n").slice(0, -1)) {
      const last = steps.at(-1);
      if (line.startsWith("$ ")) steps.push({ command: line.slice(2), output: "" });
      else if (last && line.startsWith("> ")) last.command += `\n${line.slice(2)}`;
      else if (last) last.output += `${line}\n`;
    }
  }
  return steps.map(({ command, output }) => ({ command, output: output.trim() }));
}

/** Replaces the outputs of the steps of a tag, in order. */
export function withOutputs(markdown: string, tag: string, outputs: readonly string[]): string {
  let at = 0;
  return markdown.replace(
    /^```console (\w+)\n(.*?)^```$/gms,
    (whole: string, info: string, block: string) => {
      if (info !== tag) return whole;
      const parts = block.split(/^(?=\$ )/m).map((part) => {
        const [first = "", ...rest] = part.split("\n");
        const more = rest.findIndex((line) => !line.startsWith("> "));
        const output = outputs[at++] ?? "";
        return [first, ...rest.slice(0, more), ...(output === "" ? [] : [output]), ""].join("\n");
      });
      return `\`\`\`console ${info}\n${parts.join("")}\`\`\``;
    },
  );
}

/** The code blocks of a language and tag, for example ```js library. */
export function codeBlocks(markdown: string, info: string): string[] {
  return [...markdown.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)]
    .filter(([, found]) => found === info)
    .map(([, , code]) => code ?? "");
}

/** Runs commands in sequence in one shell, as if typed; returns the output of each. */
export async function runInShell(commands: string[], timeoutMs: number): Promise<string[]> {
  const mark = "--- end of a step ---";
  const shell = spawn("sh", [], {
    env: process.env,
    stdio: ["pipe", "pipe", "ignore"],
    timeout: timeoutMs,
  });
  shell.stdin.end(commands.map((command) => `${command}\nprintf '\\n${mark}\\n'\n`).join(""));
  let text = "";
  shell.stdout.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  await new Promise((done) => shell.on("close", done));
  return text
    .split(`\n${mark}\n`)
    .slice(0, -1)
    .map((output) => output.trim());
}

/** Removes values that vary between runs: ids, digests, times, and times within names. */
export function normalise(text: string): string {
  return text
    .replaceAll("127.0.0.1:8000", "localhost:8000")
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<id>")
    .replace(/\b[0-9a-f]{16}\b(?=\.(sqlite|json))/g, "<digest>")
    .replace(/\b1[789]\d{14}\b/g, "<time>")
    .replace(/\b\d+\.\d+ s\b/g, "<seconds>")
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

/** Whether all of these programs are installed; reports a skipped test otherwise. */
export function haveTools(what: string, ...names: string[]): boolean {
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  const missing = names.filter(
    (name) => !directories.some((directory) => existsSync(join(directory, name))),
  );
  if (missing.length > 0)
    console.warn(`SKIPPED: ${what} needs ${missing.join(", ")}, not installed on this machine.`);
  return missing.length === 0;
}

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end; a failure is a result, not an exception. */
export async function run(
  program: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; timeoutMs?: number } = {},
): Promise<Ran> {
  const { timeoutMs: timeout = 60_000, ...rest } = options;
  try {
    const { stdout, stderr } = await promisify(execFile)(program, args, {
      ...rest,
      timeout,
      maxBuffer: 1 << 28,
    });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const {
      code,
      stdout = "",
      stderr = "",
    } = error as { code?: number | string; stdout?: string; stderr?: string };
    return { code: typeof code === "number" ? code : -1, stdout, stderr: stderr || String(error) };
  }
}

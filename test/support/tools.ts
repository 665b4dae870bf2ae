import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

function isInstalled(name: string): boolean {
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  return directories.some((directory) => existsSync(join(directory, name)));
}

function skip(what: string, missing: string): void {
  console.warn(`SKIPPED: ${what} needs ${missing}, not installed on this machine.`);
}

/** Whether all of these programs are installed; reports a skipped test otherwise. */
export function haveTools(what: string, ...names: string[]): boolean {
  const missing = names.filter((name) => !isInstalled(name));
  if (missing.length > 0) skip(what, missing.join(", "));
  return missing.length === 0;
}

/** The first of these programs that is installed; reports a skipped test if none is. */
export function installedTool(what: string, ...names: string[]): string | undefined {
  const name = names.find(isInstalled);
  if (name === undefined) skip(what, names.join(" or "));
  return name;
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

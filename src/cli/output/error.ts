import type { HostError } from "../../errors.js";
import { hints } from "../hints.js";
import { printJsonError } from "./json.js";
import { printable } from "./printable.js";
import type { CommandContext } from "../command-context.js";

/**
 * Prints to standard error what the message of an error omits: the stack of an internal error, the
 * system error of a failed file access.
 */
export function printCause({ reason, cause, metadata }: HostError): void {
  if (reason === "INTERNAL" && cause !== undefined) console.error(cause);
  else if (metadata["syscall"] !== undefined && cause instanceof Error)
    process.stderr.write(`  ${printable(cause.message)}\n`);
}

/**
 * Prints an error with hints to standard error; with --json as a JSON document to standard output.
 */
export async function reportError(context: CommandContext, error: HostError): Promise<void> {
  if (context.json) return printJsonError(context.command, error);
  if (context.abort.reason === "terminal closed" || context.abort.reason === "pipe closed") return;
  const lines = [
    `holdfast ${context.command}: ${error.message}`,
    ...hints(context.command, error).map((line) => `  ${line}`),
  ];
  process.stderr.write(`${lines.map(printable).join("\n")}\n`);
  printCause(error);
}

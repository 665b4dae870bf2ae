import type { HostError } from "../../errors.js";
import { hints } from "../hints.js";
import { printJsonError } from "./json.js";
import { printable } from "./printable.js";
import type { CommandContext } from "../command-context.js";

/** What the message leaves out: of a file its path, of a fault of the program where it happened. */
export function printCause({ reason, cause, metadata }: HostError): void {
  if (reason === "INTERNAL" && cause !== undefined) console.error(cause);
  else if (metadata["syscall"] !== undefined && cause instanceof Error)
    process.stderr.write(`  ${printable(cause.message)}\n`);
}

/** Says what happened, whether anything changed and what to type next; with --json as a document. */
export async function reportError(context: CommandContext, error: HostError): Promise<void> {
  if (context.json) return printJsonError(context.command, error);
  if (context.abort.reason === "terminal gone" || context.abort.reason === "pipe closed") return;
  const lines = [
    `holdfast ${context.command}: ${error.message}`,
    ...hints(context.command, error).map((line) => `  ${line}`),
  ];
  process.stderr.write(`${lines.map(printable).join("\n")}\n`);
  printCause(error);
}

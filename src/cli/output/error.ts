import type { HostError } from "../../errors.js";
import { advice } from "../advice.js";
import { printJsonError } from "./json.js";
import { printable } from "./printable.js";
import type { Run } from "../run.js";

/** What the message leaves out: of a file its path, of a fault of the program where it happened. */
export function printCause({ reason, cause, metadata }: HostError): void {
  if (reason === "INTERNAL" && cause !== undefined) console.error(cause);
  else if (metadata["syscall"] !== undefined && cause instanceof Error)
    process.stderr.write(`  ${printable(cause.message)}\n`);
}

/** Says what happened, whether anything changed and what to type next; with --json as a document. */
export async function reportError(run: Run, error: HostError): Promise<void> {
  if (run.json) return printJsonError(run.command, error);
  if (run.stops.stopped === "terminal gone" || run.stops.stopped === "pipe closed") return;
  const lines = [
    `holdfast ${run.command}: ${error.message}`,
    ...advice(run.command, error).map((line) => `  ${line}`),
  ];
  process.stderr.write(`${lines.map(printable).join("\n")}\n`);
  printCause(error);
}

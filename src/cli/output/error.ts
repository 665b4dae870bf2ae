import type { HostError } from "../../errors.js";
import { advice } from "../advice.js";
import { printJsonError } from "./json.js";
import { printable } from "./printable.js";
import type { Run } from "../run.js";

/** Says what happened, whether anything changed and what to type next; with --json as a document. */
export async function reportError(run: Run, error: HostError): Promise<void> {
  if (run.json) return printJsonError(run.command, error);
  if (run.stops.stopped === "terminal gone" || run.stops.stopped === "pipe closed") return;
  const lines = [`holdfast ${run.command}: ${error.message}`, ...advice(run.command, error).map((line) => `  ${line}`)];
  process.stderr.write(`${lines.map(printable).join("\n")}\n`);
  if (error.reason === "INTERNAL" && error.cause !== undefined) console.error(error.cause);
}

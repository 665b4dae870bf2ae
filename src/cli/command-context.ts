import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { HostError } from "../errors.js";
import type { OutputFlags } from "./flags.js";
import { printJson } from "./output/json.js";
import { print } from "./output/print.js";
import { printableLines } from "./output/printable.js";
import { watchSignals, type AbortState } from "./signals.js";

/** One run of a command: what its action is given to speak with, and to stop by. */
export interface CommandContext {
  /** For example "operations list". */
  command: string;
  json: boolean;
  quiet: boolean;
  abort: AbortState;
  /** Lines for people on standard output; nothing with --json or --quiet. */
  printText(text: string): Promise<void>;
  /** The outcome: the message with --json, else the text. */
  printResult<Desc extends DescMessage>(
    schema: Desc,
    message: MessageShape<Desc>,
    text: () => string | Promise<string>,
  ): Promise<void>;
  /** A line for people on standard error; nothing with --json or --quiet. */
  printNote(text: string): void;
}

/** What a command does; a number is its exit code. */
export type Action<Flags extends OutputFlags> = (
  context: CommandContext,
  flags: Flags,
  ...args: (string | undefined)[]
) => Promise<number | void>;

export function createContext(command: string, flags: OutputFlags): CommandContext {
  const { json = false, quiet = false } = flags;
  const say = async (text: string) => {
    if (!json && !quiet && text !== "")
      await print(printableLines(text.endsWith("\n") ? text : `${text}\n`));
  };
  return {
    command,
    json,
    quiet,
    abort: watchSignals(),
    printText: say,
    async printResult(schema, message, text) {
      if (json) await printJson(command, schema, message);
      else if (!quiet) await say(await text());
    },
    printNote(text) {
      if (!json && !quiet) process.stderr.write(`${printableLines(text)}\n`);
    },
  };
}

/** The exit code of a run that failed: that of the signal which ended it goes before that of the error. */
export function exitCodeAfterAbort(stops: AbortState, error: HostError, code: number): number {
  return stops.reason !== undefined && error.reason === "OPERATION_CANCELLED"
    ? stops.exitCode
    : code;
}

import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { HostError } from "../errors.js";
import type { OutputFlags } from "./flags.js";
import { printJson } from "./output/json.js";
import { print } from "./output/print.js";
import { printableLines } from "./output/printable.js";
import { watchSignals, type AbortState } from "./signals.js";
import { timeFormatter } from "./time.js";

/** The environment of one invocation of a command: how it prints, and whether it is aborted. */
export interface CommandContext {
  /** Words of the command after "holdfast", for example "operations list". */
  command: string;
  json: boolean;
  quiet: boolean;
  abort: AbortState;
  /**
   * Prints text to standard output; does nothing with --json or --quiet. Adds a missing
   * final newline.
   */
  printText(text: string): Promise<void>;
  /**
   * Prints the result of the command: the message with --json, otherwise the text; nothing with
   * --quiet.
   */
  printResult<Desc extends DescMessage>(
    schema: Desc,
    message: MessageShape<Desc>,
    text: () => string | Promise<string>,
  ): Promise<void>;
  /** Prints a line to standard error; does nothing with --json or --quiet. */
  printNote(text: string): void;
  /** Formats microseconds since 1970 as RFC 3339 UTC, or as they are with --micros; 0 as "none". */
  readonly formatTime: (micros: bigint) => string;
}

/** The implementation of a command. A returned number is its exit code (default: 0). */
export type Action<Flags extends OutputFlags> = (
  context: CommandContext,
  flags: Flags,
  ...args: (string | undefined)[]
) => Promise<number | void>;

/** Creates the context of a command and starts watching signals; call it once per process. */
export function createContext(command: string, flags: OutputFlags): CommandContext {
  const { json = false, quiet = false, micros = false } = flags;
  const printText = async (text: string) => {
    if (!json && !quiet && text !== "")
      await print(printableLines(text.endsWith("\n") ? text : `${text}\n`));
  };
  return {
    command,
    json,
    quiet,
    abort: watchSignals(),
    printText,
    async printResult(schema, message, text) {
      if (json) await printJson(command, schema, message);
      else if (!quiet) await printText(await text());
    },
    printNote(text) {
      if (!json && !quiet) process.stderr.write(`${printableLines(text)}\n`);
    },
    formatTime: timeFormatter(micros),
  };
}

/**
 * Returns the exit code of a failed command: that of the abort if it caused the error, otherwise
 * `code`.
 */
export function exitCodeAfterAbort(abort: AbortState, error: HostError, code: number): number {
  return abort.reason !== undefined && error.reason === "OPERATION_CANCELLED"
    ? abort.exitCode
    : code;
}

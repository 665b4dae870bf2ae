import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { HostError } from "../errors.js";
import type { OutputFlags } from "./flags.js";
import { printJson } from "./output/json.js";
import { print } from "./output/print.js";
import { printableLines } from "./output/printable.js";
import { watchSignals, type Stops } from "./signals.js";

/** One run of a command: what its action is given to speak with, and to stop by. */
export interface Run {
  /** For example "operations list". */
  command: string;
  json: boolean;
  quiet: boolean;
  stops: Stops;
  /** Lines for people on standard output; nothing with --json or --quiet. */
  say(text: string): Promise<void>;
  /** The outcome: the message with --json, else the text. */
  finish<Desc extends DescMessage>(
    schema: Desc,
    message: MessageShape<Desc>,
    text: () => string | Promise<string>,
  ): Promise<void>;
  /** A line for people on standard error; nothing with --json or --quiet. */
  note(text: string): void;
}

/** What a command does; a number is its exit code. */
export type Action<Flags extends OutputFlags> = (
  run: Run,
  flags: Flags,
  ...args: (string | undefined)[]
) => Promise<number | void>;

export function startRun(command: string, flags: OutputFlags): Run {
  const { json = false, quiet = false } = flags;
  const say = async (text: string) => {
    if (!json && !quiet && text !== "")
      await print(printableLines(text.endsWith("\n") ? text : `${text}\n`));
  };
  return {
    command,
    json,
    quiet,
    stops: watchSignals(),
    say,
    async finish(schema, message, text) {
      if (json) await printJson(command, schema, message);
      else if (!quiet) await say(await text());
    },
    note(text) {
      if (!json && !quiet) process.stderr.write(`${printableLines(text)}\n`);
    },
  };
}

/** The exit code of a run that failed: that of the signal which ended it goes before that of the error. */
export function stoppedOr(stops: Stops, error: HostError, code: number): number {
  return stops.stopped !== undefined && error.reason === "OPERATION_CANCELLED"
    ? stops.exitCode
    : code;
}

import { pino, type Logger } from "pino";
import type { LogConfig } from "../host/config.js";
import { logOutput } from "./log-output.js";
import { printable } from "./output/printable.js";

const standardError = 2;
const warn = 40;

/**
 * The log on standard error: JSON, one object a line, or text where somebody reads it on a terminal. Each line is written before the
 * call returns, or dropped and counted.
 */
export async function createLogger({ format, level }: LogConfig): Promise<Logger> {
  const isTerminal = process.stderr.isTTY;
  const isJson = format === "json" || (format === "auto" && !isTerminal);
  const toText = isJson
    ? (line: string) => line
    : await prettyLine(isTerminal && !process.env["NO_COLOR"]);
  const output = logOutput(standardError, (lines) =>
    toText(
      `${JSON.stringify({ level: warn, time: Date.now(), pid: process.pid, lines, msg: "lines of the log were lost: they could not be written" })}\n`,
    ),
  );
  return pino({ level }, { write: (line) => output.write(toText(line)) });
}

async function prettyLine(colorize: boolean): Promise<(line: string) => string> {
  // Loaded here, since few need it and it takes a while.
  const { default: pretty } = await import("pino-pretty");
  // Colours come later: what is in a message is not obeyed by the terminal.
  const messageFormat = (log: Record<string, unknown>, key: string) => {
    const message = log[key];
    return typeof message === "string" ? printable(message) : "";
  };
  return pretty.prettyFactory({
    colorize,
    messageFormat,
    translateTime: "SYS:yyyy-mm-dd HH:MM:ss.l",
  });
}

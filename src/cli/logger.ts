import { pino, type Logger } from "pino";
import type { LogConfig } from "../host/config.js";
import { logOutput } from "./log-output.js";
import { printable } from "./output/printable.js";

const standardError = 2;
const warnLevel = 40;

/**
 * Creates the logger of `holdfast serve`, which writes to standard error: one JSON object per line,
 * or text on a terminal. A line is written synchronously, or dropped and counted.
 */
export async function createLogger({ format, level }: LogConfig): Promise<Logger> {
  const isTerminal = process.stderr.isTTY;
  const isJson = format === "json" || (format === "auto" && !isTerminal);
  const toText = isJson
    ? (line: string) => line
    : await prettyLine(isTerminal && !process.env["NO_COLOR"]);
  const output = logOutput(standardError, (lines) =>
    toText(
      `${JSON.stringify({ level: warnLevel, time: Date.now(), pid: process.pid, lines, msg: "log lines dropped: standard error could not be written" })}\n`,
    ),
  );
  return pino({ level }, { write: (line) => output.write(toText(line)) });
}

async function prettyLine(colorize: boolean): Promise<(line: string) => string> {
  // Imported on demand because it loads slowly and only terminals need it.
  const { default: pretty } = await import("pino-pretty");
  // Escapes the message before pino-pretty adds colours, so that a message cannot control the
  // terminal.
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

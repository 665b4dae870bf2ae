import { pino, type Logger } from "pino";
import type { LogConfig } from "../config.js";
import { printable } from "./output/printable.js";

const standardError = 2;

/** The log on standard error: JSON, one object a line, or text where somebody reads it on a terminal. Each line is written before the call returns. */
export async function createLogger({ format, level }: LogConfig): Promise<Logger> {
  const isTerminal = process.stderr.isTTY;
  if (format === "json" || (format === "auto" && !isTerminal)) return pino({ level }, pino.destination({ dest: standardError, sync: true }));
  // Loaded here, since few need it and it takes a while.
  const { default: pretty } = await import("pino-pretty");
  // Colours come later: what is in a message is not obeyed by the terminal.
  const messageFormat = (log: Record<string, unknown>, key: string) => {
    const message = log[key];
    return typeof message === "string" ? printable(message) : "";
  };
  const colorize = isTerminal && !process.env["NO_COLOR"];
  return pino({ level }, pretty({ destination: standardError, sync: true, colorize, messageFormat, translateTime: "SYS:yyyy-mm-dd HH:MM:ss.l" }));
}

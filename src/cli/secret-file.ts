import { readFileSync, statSync } from "node:fs";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";

/**
 * Reads a file that contains one secret, without the line feed at its end. Throws CONFIGURATION_INVALID
 * if it cannot be read, is empty or has several lines; no message contains a part of it.
 */
export function readSecretLine(path: string, option: string): string {
  const invalid = (problem: string, cause?: unknown) =>
    new HostError("CONFIGURATION_INVALID", `${path} (${option}) ${problem}.`, { cause });
  let text: string;
  try {
    if (statSync(path).size > limits.secretFileBytes) throw invalid("is too large for a secret");
    text = readFileSync(path, "utf8").replace(/\r?\n$/, "");
  } catch (cause) {
    if (cause instanceof HostError) throw cause;
    throw invalid("cannot be read. Check the path and its permissions", cause);
  }
  if (text === "") throw invalid("is empty");
  if (/[\r\n]/.test(text)) throw invalid("has several lines and must contain only the secret");
  return text;
}

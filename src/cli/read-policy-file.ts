import { readFileSync, statSync } from "node:fs";
import { HostError } from "../errors.js";
import type { PolicyFile } from "../host/policy-file.js";
import { limits } from "../limits.js";

/**
 * Reads the policies of a YAML or JSON file as parsePolicyFile does. `-` is standard input. Throws
 * CONFIGURATION_INVALID if the file cannot be read or is invalid.
 */
export async function readPolicyFile(path: string): Promise<PolicyFile> {
  const source = `${path === "-" ? "standard input" : path} (--file)`;
  const text = readText(path, source);
  const { parsePolicyFile } = await import("../host/policy-file.js");
  return parsePolicyFile(source, text);
}

function readText(path: string, source: string): string {
  const tooLarge = () =>
    new HostError(
      "CONFIGURATION_INVALID",
      `${source} is larger than ${limits.policyFileBytes} bytes.`,
    );
  try {
    if (path !== "-" && statSync(path).size > limits.policyFileBytes) throw tooLarge();
    const text = readFileSync(path === "-" ? 0 : path, "utf8");
    if (text.length <= limits.policyFileBytes) return text;
    throw tooLarge();
  } catch (cause) {
    if (cause instanceof HostError) throw cause;
    throw new HostError(
      "CONFIGURATION_INVALID",
      `${source} cannot be read. Check the path and its permissions.`,
      { cause },
    );
  }
}

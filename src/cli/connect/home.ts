import { homedir } from "node:os";

/**
 * Returns the home directory of the user; / if HOME is unset and passwd has no entry, as in many
 * containers.
 */
export function homeDirectory(): string {
  try {
    return homedir();
  } catch {
    return "/";
  }
}

import { join } from "node:path";
import { homeDirectory } from "./home.js";

/**
 * Returns the directory in which commands without a host store the results of verification,
 * according to the XDG Base Directory Specification: $XDG_STATE_HOME/holdfast (default:
 * ~/.local/state/holdfast).
 */
export function stateDirectory(environment: NodeJS.ProcessEnv): string {
  return join(
    environment["XDG_STATE_HOME"] || join(homeDirectory(), ".local", "state"),
    "holdfast",
  );
}

import { join } from "node:path";
import { homeDirectory } from "./home.js";

/** Where commands that work without a host remember the outcomes of checks: beside the user, by the XDG Base Directory Specification. */
export function stateDirectory(environment: NodeJS.ProcessEnv): string {
  return join(
    environment["XDG_STATE_HOME"] || join(homeDirectory(), ".local", "state"),
    "holdfast",
  );
}

import { homedir } from "node:os";

/** The home of the user; the root directory for one without HOME and without an entry in passwd, as in many containers. */
export function homeDirectory(): string {
  try {
    return homedir();
  } catch {
    return "/";
  }
}

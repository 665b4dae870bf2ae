import { HostError } from "../errors.js";
import { errnoOf } from "./file-system.js";

/**
 * Converts an error of node:fs to a HostError. `what` names the activity, as in `Reading the
 * manifest`. Returns other errors unchanged.
 */
export function fromFileError(thrown: unknown, what: string): unknown {
  const errno = errnoOf(thrown);
  if (thrown instanceof HostError || errno === undefined || !/^E[A-Z0-9]+$/.test(errno))
    return thrown;
  const path =
    typeof thrown === "object" &&
    thrown !== null &&
    "path" in thrown &&
    typeof thrown.path === "string"
      ? ` at ${thrown.path}`
      : "";
  const details = { cause: thrown, metadata: { errno } };
  switch (errno) {
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return new HostError(
        "DESTINATION_FULL",
        `${what} failed${path}: no space left (${errno}). Existing files are unchanged. Free space and try again.`,
        details,
      );
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new HostError(
        "DESTINATION_FAILED",
        `${what} failed${path}: permission denied (${errno}). Check owner and permissions.`,
        details,
      );
    case "ENOENT":
      return new HostError(
        "BACKUP_NOT_FOUND",
        `${what} failed${path}: the file does not exist (${errno}). Check whether another program removed it.`,
        details,
      );
    default:
      return new HostError(
        "DESTINATION_FAILED",
        `${what} failed${path}: the file system returned ${errno}.`,
        details,
      );
  }
}

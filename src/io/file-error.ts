import { HostError } from "../errors.js";
import { errnoOf } from "./file-system.js";

/** An error of the file system in the host's terms; `what` says what was being done. Other errors pass as they are. */
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
        `${what} failed${path}: no space is left (${errno}). What was there before is as it was; free space and try again.`,
        details,
      );
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new HostError(
        "DESTINATION_FAILED",
        `${what} failed${path}: the host may not do that there (${errno}). Check owner and permissions.`,
        details,
      );
    case "ENOENT":
      return new HostError(
        "BACKUP_NOT_FOUND",
        `${what} failed${path}: a file went away while it was needed (${errno}).`,
        details,
      );
    default:
      return new HostError(
        "DESTINATION_FAILED",
        `${what} failed${path}: the file system answered ${errno}.`,
        details,
      );
  }
}

import { dirname } from "node:path";
import type { HostError, Reason } from "../errors.js";

/** What a failed command has left as it was. Those not named only read. */
const untouched: Record<string, string> = {
  backup: "No backup was made; older ones are as they were.",
  restore: "Nothing was restored: what was there before is as it was.",
  undo: "The index is as it was.",
  prune: "Nothing was removed.",
};

/** After these nobody knows what was done, or the message says it itself. */
const uncertain: ReadonlySet<Reason> = new Set([
  "OUTCOME_UNKNOWN",
  "DEADLINE",
  "INTERNAL",
  "CONFIRMATION_NEEDED",
  "SHUTTING_DOWN",
  "INDEX_READ_ONLY",
]);

const giveToken = "Give one with --token-file FILE, HOLDFAST_TOKEN or a profile (docs/cli.md).";

const next: Partial<Record<Reason, (error: HostError) => string>> = {
  TOKEN_MISSING: () => giveToken,
  TOKEN_UNKNOWN: () => `Check it, and that it is for this host. ${giveToken}`,
  ROLE_MISSING: ({ metadata }) =>
    `This takes a token with the role ${metadata["role"] ?? "named above"}. ${giveToken}`,
  BACKUP_NOT_FOUND: ({ metadata }) =>
    `See what is there: holdfast list ${metadata["path"] === undefined ? "DIRECTORY" : dirname(metadata["path"])}`,
  BACKUP_FOREIGN: () => "See what is there: holdfast list DIRECTORY",
  BACKUP_DAMAGED: () =>
    "Make a new one now: holdfast backup DEST --full. Look for an older one: holdfast list DIRECTORY; and check it: holdfast verify PATH",
  TARGET_TIME_OUT_OF_RANGE: () => "See the window of the backup: holdfast inspect PATH",
  OPERATION_NOT_FOUND: () => "See which there are: holdfast operations list",
  DESTINATION_BUSY: () => "See what works there: holdfast operations list",
  RESTORE_IN_PROGRESS: () => "See it: holdfast operations list",
  OPERATION_LIMIT: () => "See which run: holdfast operations list",
  INDEX_NOT_FOUND: () => "See which there are: holdfast status",
  VERSION_MISMATCH: () => "Read it again: holdfast documents get LINK",
  DOCUMENT_DELETED: () => "See its versions: holdfast documents history LINK",
  VERSION_NOT_FOUND: () => "See its versions: holdfast documents history LINK",
  DOCUMENT_NOT_FOUND: () => "See which there are: holdfast documents list FACTORY",
  NOTHING_TO_UNDO: () => "Restore a backup instead: holdfast restore SOURCE",
};

/** Lines below an error's message: whether anything changed, and what to type next. */
export function hints(command: string, error: HostError): string[] {
  const lines: string[] = [];
  // An operation that was begun, or an import that was cut, has its own words for what is there now.
  const told =
    uncertain.has(error.reason) ||
    error.metadata["operation"] !== undefined ||
    error.metadata["documents"] !== undefined;
  if (
    !told &&
    !/\b(Nothing|nothing) (was|is) (changed|removed|restored|replaced|begun|written|imported)\b/.test(
      error.message,
    )
  )
    lines.push(untouched[command] ?? "Nothing was changed.");
  const line = next[error.reason]?.(error);
  if (line !== undefined) lines.push(line);
  return lines;
}

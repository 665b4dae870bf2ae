import { dirname } from "node:path";
import type { HostError, Reason } from "../errors.js";

/** Commands that change nothing, whose errors need not say so. */
const readers: ReadonlySet<string> = new Set([
  "status",
  "config check",
  "verify",
  "test-restore",
  "check",
  "inspect",
  "list",
  "diff",
  "export",
  "policy list",
  "policy show",
  "policy runs",
  "policy preview",
  "policy deliveries",
  "operations list",
  "operations watch",
  "documents get",
  "documents list",
  "documents history",
]);

/** What a failed command left unchanged. Default: everything. */
const unchanged: Record<string, string> = {
  backup: "No backup was created; existing backups are unchanged.",
  restore: "Nothing was restored; existing data is unchanged.",
  undo: "The index is unchanged.",
  prune: "Nothing was removed.",
  copy: "No backup was copied; existing backups are unchanged.",
};

/** Reasons for which the outcome is unknown, or for which the message states it. */
const outcomeNotHinted: ReadonlySet<Reason> = new Set([
  "OUTCOME_UNKNOWN",
  "DEADLINE",
  "INTERNAL",
  "CONFIRMATION_NEEDED",
  "SHUTTING_DOWN",
  "INDEX_READ_ONLY",
  "NOT_COPIED",
]);

const provideToken = "Provide a token with --token-file FILE, HOLDFAST_TOKEN or a profile.";

const nextSteps: Partial<Record<Reason, (error: HostError) => string>> = {
  TOKEN_MISSING: () => provideToken,
  TOKEN_UNKNOWN: () => `Check that the token belongs to this host. ${provideToken}`,
  ROLE_MISSING: ({ metadata }) =>
    `Use a token with the role ${metadata["role"] ?? "named above"}. ${provideToken}`,
  BACKUP_NOT_FOUND: ({ metadata }) =>
    `List the available backups: holdfast list ${metadata["directory"] ?? (metadata["path"] === undefined ? "DIRECTORY" : dirname(metadata["path"]))}`,
  BACKUP_FOREIGN: () => "List the available backups: holdfast list DIRECTORY",
  BACKUP_DAMAGED: () =>
    "Create a new backup now: holdfast backup DEST --full. To find an older one: holdfast list DIRECTORY, then holdfast verify PATH",
  ENCRYPTION_REQUIRED: () =>
    "Encrypt it: --recipient age1... or --passphrase-file FILE. To write it in the clear: --no-encryption",
  TARGET_TIME_OUT_OF_RANGE: () => "Show the restorable window: holdfast inspect PATH",
  OPERATION_NOT_FOUND: () => "List operations: holdfast operations list",
  DESTINATION_BUSY: () => "List operations: holdfast operations list",
  RESTORE_IN_PROGRESS: () => "List operations: holdfast operations list",
  OPERATION_LIMIT: () => "List operations: holdfast operations list",
  INDEX_NOT_FOUND: () => "List indexes: holdfast status",
  VERSION_MISMATCH: () => "Read the current version: holdfast documents get LINK",
  DOCUMENT_DELETED: () => "List its versions: holdfast documents history LINK",
  VERSION_NOT_FOUND: () => "List its versions: holdfast documents history LINK",
  DOCUMENT_NOT_FOUND: () => "List documents: holdfast documents list FACTORY",
  POLICY_CHANGED: () => "Read it again: holdfast policy show NAME",
  POLICY_BUSY: () => "Show its runs: holdfast policy runs NAME",
  DELIVERY_NOT_FOUND: () => "List deliveries: holdfast policy deliveries NAME",
  NOTHING_TO_UNDO: () => "Restore a backup instead: holdfast restore SOURCE",
};

/**
 * Returns the lines to print below an error message: whether anything changed, and which command to
 * run next. Returns no line about changes if the message already states it or the outcome is
 * unknown.
 */
export function hints(command: string, error: HostError): string[] {
  const lines: string[] = [];
  // An error of a started operation or run, or of a partial import, describes the resulting state itself.
  const hasOwnOutcome =
    outcomeNotHinted.has(error.reason) ||
    error.metadata["operation"] !== undefined ||
    error.metadata["run"] !== undefined ||
    error.metadata["added"] !== undefined ||
    error.metadata["documents"] !== undefined;
  if (
    !hasOwnOutcome &&
    !readers.has(command) &&
    !/\b(Nothing|nothing) (was|is) (changed|removed|restored|replaced|begun|started|written|imported)\b/.test(
      error.message,
    )
  )
    lines.push(unchanged[command] ?? "Nothing was changed.");
  const nextStep = nextSteps[error.reason]?.(error);
  if (nextStep !== undefined) lines.push(nextStep);
  return lines;
}

import { Command } from "commander";
import { productVersion } from "../host/product-version.js";
import { addBackup } from "./commands/backup.js";
import { addActivity } from "./commands/activity.js";
import { addCheck } from "./commands/check.js";
import { addCompletion } from "./commands/completion.js";
import { addConfig } from "./commands/config.js";
import { addCopy } from "./commands/copy.js";
import { addDestination } from "./commands/destination.js";
import { addDiff } from "./commands/diff.js";
import { addDocuments } from "./commands/documents.js";
import { addExport } from "./commands/export.js";
import { addImport } from "./commands/import.js";
import { addInspect } from "./commands/inspect.js";
import { addKeygen } from "./commands/keygen.js";
import { addList } from "./commands/list.js";
import { addOpen } from "./commands/open.js";
import { addOperations } from "./commands/operations.js";
import { addPolicy } from "./commands/policy.js";
import { addPin } from "./commands/pin.js";
import { addPrune } from "./commands/prune.js";
import { addRestore } from "./commands/restore.js";
import { addServe } from "./commands/serve.js";
import { addStatus } from "./commands/status.js";
import { addTestRestore } from "./commands/test-restore.js";
import { addUndo } from "./commands/undo.js";
import { addVerify } from "./commands/verify.js";
import { addExamples } from "./options.js";

/** The commands by their headings in the help and by their names. */
const groups: Record<string, Record<string, (program: Command) => void>> = {
  "Host:": { serve: addServe, status: addStatus, config: addConfig },
  "Backups:": {
    backup: addBackup,
    restore: addRestore,
    undo: addUndo,
    verify: addVerify,
    "test-restore": addTestRestore,
    copy: addCopy,
    check: addCheck,
    activity: addActivity,
    inspect: addInspect,
    list: addList,
    diff: addDiff,
    export: addExport,
    open: addOpen,
    pin: addPin,
    prune: addPrune,
    destination: addDestination,
    keygen: addKeygen,
  },
  "Policies:": { policy: addPolicy },
  "Operations:": { operations: addOperations },
  "Documents:": { import: addImport, documents: addDocuments },
  "Shell:": { completion: addCompletion },
};

/**
 * Creates the program with all its commands. Implementations are loaded when a command is invoked.
 *
 * @param invoked the first argument, if there is one. If it names a command, the program has this
 *   command alone, because defining all of them takes longer than the rest of the start. The
 *   completion script is about all of them.
 */
export function createProgram(invoked?: string): Command {
  const program = new Command("holdfast")
    .description("A document host with verified backups and point-in-time restore.")
    .version(productVersion)
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError("(run with --help for usage and examples)");
  const only = invoked === "completion" ? undefined : invoked;
  const isKnown = Object.values(groups).some(
    (adds) => only !== undefined && Object.hasOwn(adds, only),
  );
  for (const [heading, adds] of Object.entries(groups)) {
    program.commandsGroup(heading);
    for (const [name, add] of Object.entries(adds)) if (!isKnown || name === only) add(program);
  }
  addExamples(program, [
    ["Start a host", "holdfast serve --data-dir ./data"],
    [
      "Back it up and verify the backup",
      "holdfast backup /backups/shop && holdfast verify /backups/shop",
    ],
    ["Restore to a point in time", "holdfast restore /backups/shop --at '15m ago'"],
  ]);
  return program;
}

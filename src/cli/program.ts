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

/**
 * Creates the program with all its commands. Implementations are loaded when a command is invoked.
 */
export function createProgram(): Command {
  const program = new Command("holdfast")
    .description("A document host with verified backups and point-in-time restore.")
    .version(productVersion)
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError("(run with --help for usage and examples)");
  const groups: [heading: string, add: ((program: Command) => void)[]][] = [
    ["Host:", [addServe, addStatus, addConfig]],
    [
      "Backups:",
      [
        addBackup,
        addRestore,
        addUndo,
        addVerify,
        addTestRestore,
        addCopy,
        addCheck,
        addActivity,
        addInspect,
        addList,
        addDiff,
        addExport,
        addOpen,
        addPin,
        addPrune,
        addDestination,
        addKeygen,
      ],
    ],
    ["Policies:", [addPolicy]],
    ["Operations:", [addOperations]],
    ["Documents:", [addImport, addDocuments]],
    ["Shell:", [addCompletion]],
  ];
  for (const [heading, adds] of groups) {
    program.commandsGroup(heading);
    for (const add of adds) add(program);
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

import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

export function addStatus(program: Command): void {
  const command = program
    .command("status")
    .description(
      "show a host: its indexes, last backups, what runs, and whether backups are as they should be",
    )
    .action(lazyAction(async () => (await import("../actions/status.js")).status));
  addOutputOptions(addHostOptions(command));
  addExamples(command, [
    ["The host on this machine", "holdfast status"],
    [
      "In a script: 0 where backups are good, 69 where not",
      "holdfast status --profile prod --quiet || echo look at the backups",
    ],
  ]);
}

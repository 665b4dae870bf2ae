import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast status`. */
export function addStatus(program: Command): void {
  const command = program
    .command("status")
    .description(
      "show the status of a host: indexes, recent backups, running operations and backup health",
    )
    .action(lazyAction(async () => (await import("../actions/status.js")).status));
  addOutputOptions(addHostOptions(command), { times: true });
  addExamples(command, [
    ["The local host", "holdfast status"],
    [
      "In a script: exits with 0 if backups are healthy, otherwise 69",
      "holdfast status --profile prod --quiet || echo backups unhealthy",
    ],
  ]);
}

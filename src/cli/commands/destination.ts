import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

/** Adds the commands of `holdfast destination`. */
export function addDestination(program: Command): void {
  const group = program.command("destination").description("check where backups are stored");
  const check = group
    .command("check")
    .description(
      "write, read, list and remove a small object at a destination, and show what it enforces",
    )
    .argument("<DEST>", "destination of incremental backups: a path or URI")
    .action(
      lazyAction(async () => (await import("../actions/destination-check.js")).checkDestination),
    );
  addOutputOptions(addHostOptions(check, { offline: true }));
  addExamples(check, [
    [
      "A bucket, with the credentials of this machine",
      "holdfast destination check s3://bucket/shop",
    ],
    ["As the host sees it", "holdfast destination check s3://bucket/shop --address 127.0.0.1:8001"],
  ]);
}

import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { addDecryption } from "./encryption.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast list`. */
export function addList(program: Command): void {
  const command = program
    .command("list")
    .description(
      "list all backups below a directory with their state, age, size and last verification",
    )
    .argument("<ROOT>", "directory to search: a path or URI")
    .option(
      "--no-recursive",
      "only the backups of ROOT itself, without archives in it and subdirectories",
    )
    .option("--digests", "read every file and compare it with the digest in its manifest")
    .option("--strict", "exit with 65 if a backup is damaged, or not signed by a trusted signer")
    .action(lazyAction(async () => (await import("../actions/list.js")).list));
  addOutputOptions(addHostOptions(addDecryption(command), { offline: true }));
  addExamples(command, [
    ["All backups below a directory", "holdfast list /backups"],
    [
      "In a cron job: check all digests, fail if a backup is damaged",
      "holdfast list /backups --digests --strict --quiet",
    ],
  ]);
}

import type { Command } from "commander";
import { addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

export function addList(program: Command): void {
  const command = program
    .command("list")
    .description(
      "show every backup below a directory: complete, incomplete, damaged or foreign, its age, size and last check",
    )
    .argument("<ROOT>", "a path or URI")
    .option("--no-recursive", "only what lies in the directory itself")
    .option("--digests", "read every file and compare it with the digest in its manifest")
    .option("--strict", "exit 65 where a backup is damaged; otherwise 0 whatever is found")
    .action(lazyAction(async () => (await import("../actions/list.js")).list));
  addOutputOptions(addHostOptions(command, { offline: true }));
  addExamples(command, [
    ["Everything below a directory", "holdfast list /backups"],
    [
      "In a cron job: read every byte, and fail where one is wrong",
      "holdfast list /backups --digests --strict --quiet",
    ],
  ]);
}

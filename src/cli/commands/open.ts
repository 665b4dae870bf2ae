import type { Command } from "commander";
import { addDecryption } from "./encryption.js";
import { addDetach, addExamples, addHostOptions, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast open` and `holdfast close`. */
export function addOpen(program: Command): void {
  const open = program
    .command("open")
    .description(
      "open a backup or a point in time on the host, as a read-only index beside the live one",
    )
    .argument("[SOURCE]", "backup: a path or URI (default: the live index)")
    .option("--at <TIME>", "point in time (default: the latest)")
    .option("--backup <NAME>", "backup in the directory (default: the newest)")
    .option("--index <LINK>", "live index to open (default: /core/document-index)")
    .option("--for <DURATION>", "how long the host keeps it open, 1m to 30d (default: 72h)")
    .option(
      "--request-id <ID>",
      "idempotency key: repeating the command returns the first operation (default: none)",
    )
    .action(lazyAction(async () => (await import("../actions/open.js")).open));
  addOutputOptions(addHostOptions(addDecryption(addDetach(open))), { times: true });
  addExamples(open, [
    ["The index as it was an hour ago", "holdfast open --at '1h ago'"],
    ["The newest backup in a bucket, for a day", "holdfast open s3://bucket/shop --for 24h"],
    [
      "Then read it by the link that is printed",
      "holdfast documents list /core/examples --index /core/opened-indexes/1f0c5a2e",
    ],
  ]);
  const close = program
    .command("close")
    .description("close an index that holdfast open has opened, and free its space")
    .argument("<LINK>", "link of the index, as printed by open and status")
    .action(lazyAction(async () => (await import("../actions/open.js")).close));
  addOutputOptions(addHostOptions(close));
  addExamples(close, [["Close one", "holdfast close /core/opened-indexes/1f0c5a2e"]]);
}

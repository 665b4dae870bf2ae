import type { Command } from "commander";
import { addExamples, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";

/** Adds `holdfast keygen`. */
export function addKeygen(program: Command): void {
  const command = program
    .command("keygen")
    .description("generate a key pair of age: an identity file, and the recipient to encrypt to")
    .option("-o, --output <FILE>", "new identity file (default: standard output)")
    .option("--post-quantum", "generate a key that also resists quantum computers (age1pq1...)")
    .action(lazyAction(async () => (await import("../actions/keygen.js")).keygen));
  addOutputOptions(command, { json: false });
  addExamples(command, [
    ["Keep the file away from the host; print the recipient", "holdfast keygen -o shop.key"],
    ["Encrypt a backup to it", "holdfast backup s3://bucket/shop --recipient age1..."],
  ]);
}

import type { Command } from "commander";
import { addExamples, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";
import { addSettings } from "./serve.js";

/** Adds the commands of `holdfast config`. */
export function addConfig(program: Command): void {
  const group = program
    .command("config")
    .description("inspect the configuration of holdfast serve");
  const check = group
    .command("check")
    .description(
      "show each setting and its source, and validate the configuration without starting a host",
    )
    .action(lazyAction(async () => (await import("../actions/config-check.js")).checkConfig));
  addSettings(check);
  addOutputOptions(check);
  addExamples(check, [
    ["Before a restart", "holdfast config check --config /etc/holdfast.yaml"],
    [
      "With an option that overrides the file",
      "holdfast config check --config /etc/holdfast.yaml --http-port 9000",
    ],
  ]);
}

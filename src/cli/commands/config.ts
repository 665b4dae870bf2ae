import type { Command } from "commander";
import { addExamples, addOutputOptions } from "../options.js";
import { lazyAction } from "../lazy-action.js";
import { addSettings } from "./serve.js";

export function addConfig(program: Command): void {
  const group = program.command("config").description("the settings of holdfast serve");
  const check = group
    .command("check")
    .description(
      "show each setting and where it comes from, and check them as a start would; nothing is started",
    )
    .action(lazyAction(async () => (await import("../actions/config-check.js")).checkConfig));
  addSettings(check);
  addOutputOptions(check);
  addExamples(check, [
    ["Before a restart", "holdfast config check --config /etc/holdfast.yaml"],
    [
      "What flags would make of it",
      "holdfast config check --config /etc/holdfast.yaml --http-port 9000",
    ],
  ]);
}

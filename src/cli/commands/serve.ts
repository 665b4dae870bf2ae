import type { Command } from "commander";
import { addExamples, addOutputOptions, collect } from "../options.js";
import { settings } from "../../host/settings.js";

export type SettingFlags = Partial<Record<string, string | string[]>>;

export function addServe(program: Command): void {
  const command = program
    .command("serve")
    .description("run a host in the foreground")
    .action(async () => {
      const { serve } = await import("../actions/serve.js");
      await serve(settingFlags(command), command.opts<{ quiet?: boolean }>().quiet ?? false);
    });
  addSettings(command);
  addOutputOptions(command, { json: false });
  command.addHelpText(
    "after",
    "\nEach setting is also read from the environment (--http-port: HOLDFAST_HTTP_PORT) and from the\nconfiguration file (http-port: 8000); a flag goes before the environment, which goes before the file.",
  );
  addExamples(command, [
    ["On this machine alone", "holdfast serve --data-dir ./data"],
    [
      "For others",
      "holdfast serve --http-host 0.0.0.0 --grpc-host 0.0.0.0 --token-file tokens --backup-root /backups --tls-cert cert.pem --tls-key key.pem",
    ],
  ]);
}

/** The settings of a host, and the file that may hold them. */
export function addSettings(command: Command): void {
  for (const { name, placeholder, help, many } of settings) {
    if (many) command.option(`--${name} <${placeholder}>`, help, collect);
    else command.option(`--${name} <${placeholder}>`, help);
  }
  command.option("--config <FILE>", "a YAML file with the same names as keys");
}

/** What was given of the settings, by their names. */
function settingFlags(command: Command): SettingFlags {
  const given = command.opts<SettingFlags>();
  const names = new Set([...settings.map(({ name }) => name), "config"]);
  return Object.fromEntries(
    command.options
      .filter((option) => names.has(option.name()))
      .map((option) => [option.name(), given[option.attributeName()]]),
  );
}

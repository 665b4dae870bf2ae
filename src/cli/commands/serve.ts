import type { Command } from "commander";
import { addExamples, addOutputOptions, collect } from "../options.js";
import type { SettingFlags } from "../flags.js";
import { settings } from "../../host/settings.js";

/** Adds `holdfast serve`. */
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
    "\nEach setting can also be set in the environment (--http-port: HOLDFAST_HTTP_PORT) and in the configuration\nfile (http-port: 8000). Flags take precedence over the environment, which takes precedence over the file.",
  );
  addExamples(command, [
    ["For local clients only", "holdfast serve --data-dir ./data"],
    [
      "For remote clients",
      "holdfast serve --http-host 0.0.0.0 --grpc-host 0.0.0.0 --token-file tokens --backup-root /backups --tls-cert cert.pem --tls-key key.pem",
    ],
  ]);
}

/** Adds an option for each setting of a host, and --config. */
export function addSettings(command: Command): void {
  for (const { name, placeholder, help, many } of settings) {
    if (many) command.option(`--${name} <${placeholder}>`, help, collect);
    else command.option(`--${name} <${placeholder}>`, help);
  }
  command.option("--no-console", "the same as --console off");
  command.option(
    "--config <FILE>",
    "YAML configuration file with these names as keys (default: none)",
  );
}

/** Returns the given settings by name. */
function settingFlags(command: Command): SettingFlags {
  const { console: wanted, ...others } = command.opts<
    SettingFlags & { console?: string | false }
  >();
  const given: SettingFlags = {
    ...others,
    ...(wanted !== undefined && { console: wanted === false ? "off" : wanted }),
  };
  const names = new Set([...settings.map(({ name }) => name), "config"]);
  return Object.fromEntries(
    command.options
      .filter((option) => names.has(option.name()))
      .map((option) => [option.name(), given[option.attributeName()]]),
  );
}

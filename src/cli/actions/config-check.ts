import type { JsonObject } from "@bufbuild/protobuf";
import { checkConfiguration } from "../../host/config-check.js";
import {
  givenSettings,
  readConfig,
  readLogConfig,
  shownValue,
  variableOf,
} from "../../host/config.js";
import { settings } from "../../host/settings.js";
import { printJsonValue } from "../output/json.js";
import { table } from "../output/table.js";
import type { CommandContext } from "../command-context.js";
import type { OutputFlags } from "../flags.js";

/** Variables of the command line, which are not settings of a host. */
const clientVariables = [
  "HOLDFAST_CONFIG",
  "HOLDFAST_ADDRESS",
  "HOLDFAST_PROFILE",
  "HOLDFAST_PROFILES",
  "HOLDFAST_TOKEN",
];

/**
 * Implements holdfast config check; the command exits with 78 if a host would not start with the
 * configuration.
 */
export async function checkConfig(context: CommandContext, flags: OutputFlags): Promise<void> {
  const values = settingsOf(flags as Record<string, unknown>);
  const given = givenSettings(values, process.env);
  const known = new Set([...settings.map(({ name }) => variableOf(name)), ...clientVariables]);
  const unknown = Object.keys(process.env)
    .filter((name) => name.startsWith("HOLDFAST_") && !known.has(name))
    .sort();
  const rows = settings.map((one) => {
    const { name, help } = one;
    const setting = given.get(name);
    const defaultValue = /\(default:? ([^)]*)\)/.exec(help)?.[1] ?? "none";
    return {
      name,
      value: setting === undefined ? defaultValue : shownValue(one, setting.value),
      from: setting?.from ?? "default",
    };
  });
  if (!context.json) {
    await context.printText(
      table(
        [{ head: "SETTING" }, { head: "VALUE" }, { head: "FROM" }],
        rows.map(({ name, value, from }) => [name, value, from]),
      ),
    );
    for (const name of unknown)
      context.printNote(
        `Warning: the environment variable ${name} is not a setting; check its spelling.`,
      );
  }
  readLogConfig(values, process.env);
  await checkConfiguration(readConfig(values, process.env));
  const result: JsonObject = {
    settings: Object.fromEntries(rows.map(({ name, value, from }) => [name, { value, from }])),
    unknownVariables: unknown,
  };
  if (context.json) await printJsonValue(context.command, result);
  else await context.printText("\nThe configuration is valid.");
}

/** Maps the flags of commander, which are in camel case, to setting names. */
function settingsOf(flags: Record<string, unknown>): Record<string, string | string[]> {
  const values: Record<string, string | string[]> = {};
  for (const name of [...settings.map((setting) => setting.name), "config"]) {
    const value = flags[name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
    if (typeof value === "string" || Array.isArray(value))
      values[name] = value as string | string[];
  }
  return values;
}

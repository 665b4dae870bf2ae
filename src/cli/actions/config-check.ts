import type { JsonObject } from "@bufbuild/protobuf";
import { checkConfiguration } from "../../host/config-check.js";
import { givenSettings, readConfig, readLogConfig, variableOf } from "../../host/config.js";
import { settings } from "../../host/settings.js";
import { printJsonValue } from "../output/json.js";
import { table } from "../output/table.js";
import type { CommandContext } from "../command-context.js";
import type { OutputFlags } from "../flags.js";

/** Variables that are no settings of a host: of the command itself. */
const others = [
  "HOLDFAST_CONFIG",
  "HOLDFAST_ADDRESS",
  "HOLDFAST_PROFILE",
  "HOLDFAST_PROFILES",
  "HOLDFAST_TOKEN",
];

/** holdfast config check: exits 78 where a start would be refused. */
export async function checkConfig(context: CommandContext, flags: OutputFlags): Promise<void> {
  const values = settingsOf(flags as Record<string, unknown>);
  const given = givenSettings(values, process.env);
  const known = new Set([...settings.map(({ name }) => variableOf(name)), ...others]);
  const unknown = Object.keys(process.env)
    .filter((name) => name.startsWith("HOLDFAST_") && !known.has(name))
    .sort();
  const rows = settings.map(({ name, help }) => {
    const one = given.get(name);
    const byDefault = /\(default:? ([^)]*)\)/.exec(help)?.[1] ?? "none";
    return {
      name,
      value: one === undefined ? byDefault : [one.value].flat().join(", "),
      from: one?.from ?? "default",
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
        `Warning: ${name} is in the environment, and is no setting: is it misspelt?`,
      );
  }
  readLogConfig(values, process.env);
  await checkConfiguration(readConfig(values, process.env));
  const result: JsonObject = {
    settings: Object.fromEntries(rows.map(({ name, value, from }) => [name, { value, from }])),
    unknownVariables: unknown,
  };
  if (context.json) await printJsonValue(context.command, result);
  else await context.printText("\nA host would start with these.");
}

/** The flags of commander, by the names of the settings. */
function settingsOf(flags: Record<string, unknown>): Record<string, string | string[]> {
  const values: Record<string, string | string[]> = {};
  for (const name of [...settings.map((one) => one.name), "config"]) {
    const value = flags[name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
    if (typeof value === "string" || Array.isArray(value))
      values[name] = value as string | string[];
  }
  return values;
}

import type { Members } from "../../document/members.js";
import { HostError } from "../../errors.js";

/** Fields in the order given, which is Xenon's; what was not given is not there. */
export function echoOf(
  fields: [name: string, value: string | bigint | boolean | undefined][],
): string {
  const texts = fields
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        `"${name}":${typeof value === "string" ? JSON.stringify(value) : String(value)}`,
    );
  return `{${texts.join(",")}}`;
}

/** Undefined for null too. Throws JSON_INVALID for what is no string. */
export function stringField(members: Members, name: string): string | undefined {
  const raw = members.get(name);
  if (raw === undefined || raw === "null") return undefined;
  if (!raw.startsWith('"'))
    throw new HostError(
      "JSON_INVALID",
      `Unparseable JSON body: ${name} must be a string, found ${raw.slice(0, 40)}.`,
    );
  return JSON.parse(raw) as string;
}

import type { Members } from "../../document/members.js";
import { HostError } from "../../errors.js";

/** Renders the defined fields as JSON, in the given order, which is that of Xenon. */
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

/**
 * Returns a string field, or undefined if it is missing or null. Throws JSON_INVALID for other
 * types.
 */
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

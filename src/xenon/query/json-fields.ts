import { wrongType } from "../../document/wrong-type.js";
import { exactInteger } from "../../document/integers.js";
import { scanMembers, type Members } from "../../document/members.js";
import { HostError } from "../../errors.js";

// Readers of members of a JSON object. Null is treated as missing; a wrong type is rejected with
// the path of the field.

/** Returns the raw JSON of a member, or undefined if it is missing or null. */
export function memberText(members: Members, name: string): string | undefined {
  const raw = members.get(name);
  return raw === "null" ? undefined : raw;
}

/** Parses an object. Throws JSON_INVALID for other types. */
export function objectOf(raw: string, path: string): Members {
  if (!raw.startsWith("{")) throw wrongType(path, "an object", raw);
  return scanMembers(raw);
}

/** Reads a string. Numbers and booleans are converted to their text, as in Xenon. */
export function stringOf(members: Members, name: string, path: string): string | undefined {
  const raw = memberText(members, name);
  if (raw === undefined) return undefined;
  if (raw.startsWith('"')) return JSON.parse(raw) as string;
  if (raw.startsWith("{") || raw.startsWith("["))
    throw wrongType(`${path}.${name}`, "a string", raw);
  return raw;
}

/** Reads a boolean; false if it is missing. */
export function booleanOf(members: Members, name: string, path: string): boolean {
  const raw = memberText(members, name);
  if (raw !== undefined && raw !== "true" && raw !== "false")
    throw wrongType(`${path}.${name}`, "true or false", raw);
  return raw === "true";
}

/** Reads an integer exactly, also from a string of digits. */
export function integerOf(members: Members, name: string, path: string): bigint | undefined {
  const raw = memberText(members, name);
  if (raw === undefined) return undefined;
  const value = exactInteger(raw);
  if (value === undefined) throw wrongType(`${path}.${name}`, "an integer", raw);
  return value;
}

/** Reads one of the given words. Throws REQUEST_INVALID for others. */
export function wordOf<W extends string>(
  members: Members,
  name: string,
  path: string,
  words: readonly W[],
): W | undefined {
  const value = stringOf(members, name, path);
  if (value === undefined) return undefined;
  const word = words.find((one) => one === value);
  if (word === undefined) {
    throw new HostError(
      "REQUEST_INVALID",
      `${path}.${name} must be one of ${words.join(", ")}, not ${JSON.stringify(value.slice(0, 100))}.`,
    );
  }
  return word;
}

import { exactInteger } from "../../document/integers.js";
import { scanMembers, type Members } from "../../document/members.js";
import { HostError } from "../../errors.js";

/** Readers of one member of a JSON object. A null is as good as none; any other type than the wanted one is refused by name. */

export function memberText(members: Members, name: string): string | undefined {
  const raw = members.get(name);
  return raw === "null" ? undefined : raw;
}

export function objectOf(raw: string, path: string): Members {
  if (!raw.startsWith("{")) throw wrongType(path, "an object", raw);
  return scanMembers(raw);
}

/** A string; a number or a boolean is taken for the text it is written with, as Xenon takes them. */
export function stringOf(members: Members, name: string, path: string): string | undefined {
  const raw = memberText(members, name);
  if (raw === undefined) return undefined;
  if (raw.startsWith('"')) return JSON.parse(raw) as string;
  if (raw.startsWith("{") || raw.startsWith("["))
    throw wrongType(`${path}.${name}`, "a string", raw);
  return raw;
}

export function booleanOf(members: Members, name: string, path: string): boolean {
  const raw = memberText(members, name);
  if (raw !== undefined && raw !== "true" && raw !== "false")
    throw wrongType(`${path}.${name}`, "true or false", raw);
  return raw === "true";
}

/** A whole number, exactly; a string of digits is one. */
export function integerOf(members: Members, name: string, path: string): bigint | undefined {
  const raw = memberText(members, name);
  if (raw === undefined) return undefined;
  const value = exactInteger(raw);
  if (value === undefined) throw wrongType(`${path}.${name}`, "a whole number", raw);
  return value;
}

/** One of the words; throws REQUEST_INVALID for any other. */
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

export function wrongType(path: string, expected: string, raw: string): HostError {
  const found = raw.startsWith("{")
    ? "an object"
    : raw.startsWith("[")
      ? "an array"
      : raw.slice(0, 40);
  return new HostError(
    "JSON_INVALID",
    `Unparseable JSON body: ${path} must be ${expected}, found ${found}.`,
    { metadata: { field: path } },
  );
}

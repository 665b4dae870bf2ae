import { wrongType } from "./wrong-type.js";
import { HostError } from "../errors.js";
import { exactInteger, isInt64 } from "./integers.js";
import { joinMembers, scanMembers, type Members } from "./members.js";

/** Kind of the documents of Xenon's ExampleService. */
export const exampleKind = "com:vmware:xenon:services:common:ExampleService:ExampleServiceState";

/**
 * Returns the state described by a request. Unknown fields are dropped, as in Xenon. A POST sets
 * isFromMigration according to `fromMigration`, regardless of its body.
 */
export function exampleState(
  action: "POST" | "PUT" | "PATCH",
  given: Members,
  fromMigration = false,
): string {
  const state: Members = new Map();
  const patch = action === "PATCH";
  const keyValues = present(given.get("keyValues"));
  if (keyValues !== undefined) state.set("keyValues", stringMap(keyValues, patch));
  else if (!patch) state.set("keyValues", "{}");
  for (const name of ["counter", "sortedCounter"]) setIfPresent(state, name, given, integerText);
  setIfPresent(state, "name", given, stringText);
  const tags = present(given.get("tags"));
  if (tags !== undefined) state.set("tags", stringSet(tags));
  else if (!patch) state.set("tags", "[]");
  setIfPresent(state, "id", given, stringText);
  setIfPresent(state, "required", given, stringText);
  if (action === "POST") state.set("isFromMigration", String(fromMigration));
  if (action === "PUT") setIfPresent(state, "isFromMigration", given, booleanText);
  if (!patch && !state.has("name")) {
    throw new HostError(
      "REQUEST_INVALID",
      action === "POST" ? "name is required" : "name must be set",
    );
  }
  return joinMembers(state);
}

const fields = ["keyValues", "counter", "sortedCounter", "name", "tags", "id", "required"];

/** Merges a PATCH into the current state. Both must be results of exampleState. */
export function mergeExample(currentBody: string, patchBody: string): string {
  const current = scanMembers(currentBody);
  const patch = scanMembers(patchBody);
  const merged: Members = new Map();
  for (const name of fields) {
    const value = mergeField(name, present(current.get(name)), present(patch.get(name)));
    if (value !== undefined) merged.set(name, value);
  }
  // A PATCH neither changes isFromMigration nor restores it after a PUT without it.
  const fromMigration = current.get("isFromMigration");
  if (fromMigration !== undefined) merged.set("isFromMigration", fromMigration);
  return joinMembers(merged);
}

function mergeField(
  name: string,
  old: string | undefined,
  given: string | undefined,
): string | undefined {
  if (given === undefined || old === undefined) {
    const value = given ?? old;
    // A null in a patch removes a key, also if there is no map to remove it from.
    return name === "keyValues"
      ? mergeMap("{}", value ?? "{}")
      : name === "tags"
        ? (value ?? "[]")
        : value;
  }
  switch (name) {
    case "keyValues":
      return mergeMap(old, given);
    case "tags":
      return union(old, given);
    case "counter":
      return BigInt(given) > BigInt(old) ? given : old;
    default:
      return given;
  }
}

function mergeMap(old: string, given: string): string {
  const merged = scanMembers(old);
  for (const [key, value] of scanMembers(given)) {
    if (value === "null") merged.delete(key);
    else merged.set(key, value);
  }
  return joinMembers(merged);
}

function union(old: string, given: string): string {
  return JSON.stringify([
    ...new Set([...(JSON.parse(old) as string[]), ...(JSON.parse(given) as string[])]),
  ]);
}

function present(raw: string | undefined): string | undefined {
  return raw === "null" ? undefined : raw;
}

function setIfPresent(
  state: Members,
  name: string,
  given: Members,
  convert: (name: string, raw: string) => string,
): void {
  const raw = present(given.get(name));
  if (raw !== undefined) state.set(name, convert(name, raw));
}

function integerText(name: string, raw: string): string {
  const value = exactInteger(raw);
  if (value === undefined || !isInt64(value)) throw wrongType(name, "a 64-bit integer", raw);
  return value.toString();
}

function booleanText(name: string, raw: string): string {
  if (raw !== "true" && raw !== "false") throw wrongType(name, "true or false", raw);
  return raw;
}

/** Reads a string; numbers and booleans are converted to their text. */
function stringText(name: string, raw: string): string {
  const first = raw.charAt(0);
  if (first === '"') return raw;
  if (first === "{" || first === "[") throw wrongType(name, "a string", raw);
  return `"${raw}"`;
}

function stringMap(raw: string, keepNulls: boolean): string {
  if (!raw.startsWith("{")) throw wrongType("keyValues", "an object of strings", raw);
  const map = scanMembers(raw);
  for (const [key, value] of map) {
    if (value.charAt(0) === '"') continue;
    if (value !== "null") map.set(key, stringText(`keyValues.${key}`, value));
    else if (!keepNulls) map.delete(key);
  }
  return joinMembers(map);
}

const oneItem = /^\["[^"\\]*"\]$/;

function stringSet(raw: string): string {
  if (!raw.startsWith("[")) throw wrongType("tags", "an array of strings", raw);
  if (raw === "[]" || oneItem.test(raw)) return raw;
  const items = JSON.parse(raw) as unknown[];
  for (const item of items)
    if (typeof item !== "string") throw wrongType("tags", "an array of strings", raw);
  return JSON.stringify([...new Set(items)]);
}

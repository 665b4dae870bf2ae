import { fromStoredLevel, toStoredLevel } from "./stored-level.js";
import type { OperationOutcome } from "./operation.js";

/** Names of fields in the files of the journal, where they differ from those in memory. */
const storedNames: Record<string, string> = {
  plan: "forecast",
  discardedVersions: "versionsLeftOut",
  kept: "left",
};
const namesInMemory = Object.fromEntries(
  Object.entries(storedNames).map(([name, stored]) => [stored, name]),
);

/** Converts the result of an operation to the form that the journal stores. */
export function toStoredResult(result: OperationOutcome): unknown {
  return withNames(
    "level" in result ? { ...result, level: toStoredLevel(result.level) } : result,
    storedNames,
  );
}

/** Converts a result from the form that the journal stores. */
export function fromStoredResult(stored: unknown): OperationOutcome {
  const result = withNames(stored, namesInMemory) as OperationOutcome;
  return "level" in result ? { ...result, level: fromStoredLevel(result.level) } : result;
}

/** Returns a copy of a JSON value with renamed fields at any depth. */
function withNames(value: unknown, names: Record<string, string>): unknown {
  if (Array.isArray(value)) return value.map((item) => withNames(item, names));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [names[name] ?? name, withNames(member, names)]),
  );
}

import type { MergeRule } from "./document.js";
import { mergeExample } from "./example-kind.js";
import { joinMembers, scanMembers } from "./members.js";

/**
 * The body that a PATCH makes of the current one. Both are bodies that passed kinds.ts, so nothing is checked again:
 * this runs inside the writer, for each patch, between reading the current version and writing the next.
 */
export function applyMerge(rule: MergeRule, currentBody: string, patch: string): string {
  return rule === "example" ? mergeExample(currentBody, patch) : mergeShallow(currentBody, patch);
}

/** Each field of the patch replaces the current one; a null leaves it as it is. */
function mergeShallow(currentBody: string, patch: string): string {
  const merged = scanMembers(currentBody);
  for (const [name, value] of scanMembers(patch)) if (value !== "null") merged.set(name, value);
  return joinMembers(merged);
}

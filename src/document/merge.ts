import type { MergeRule } from "./document.js";
import { mergeExample } from "./example-kind.js";
import { joinMembers, scanMembers } from "./members.js";

/**
 * Merges a PATCH into the current body. Both were validated by kinds.ts before; this runs in the
 * writer for each patch, between reading the current version and writing the next.
 */
export function applyMerge(rule: MergeRule, currentBody: string, patch: string): string {
  return rule === "example" ? mergeExample(currentBody, patch) : mergeShallow(currentBody, patch);
}

/** Replaces each field given in the patch; null leaves a field unchanged. */
function mergeShallow(currentBody: string, patch: string): string {
  const merged = scanMembers(currentBody);
  for (const [name, value] of scanMembers(patch)) if (value !== "null") merged.set(name, value);
  return joinMembers(merged);
}

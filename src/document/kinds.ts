import type { MergeRule } from "./document.js";
import { exampleKind, exampleState } from "./example-kind.js";
import { joinMembers, type Members } from "./members.js";

/** Rules for the documents of a kind. */
export interface KindDefinition {
  kind: string;
  mergeRule: MergeRule;
  /**
   * Validates the own fields of a request and returns the body to store. For a PATCH, the result is
   * the patch to merge, so meaningful nulls are kept. `fromMigration` marks a document copied from
   * another host. Throws REQUEST_INVALID for missing required fields and JSON_INVALID for values of
   * the wrong type.
   */
  body(action: "POST" | "PUT" | "PATCH", members: Members, fromMigration?: boolean): string;
}

/** Returns the definition of a kind. Kinds without rules keep every field unchanged. */
export function kindDefinition(kind: string): KindDefinition {
  if (kind === exampleKind) return { kind, mergeRule: "example", body: exampleState };
  return { kind, mergeRule: "shallow", body: (_action, members) => joinMembers(members) };
}

import type { MergeRule } from "./document.js";
import { exampleKind, exampleState } from "./example-kind.js";
import { joinMembers, type Members } from "./members.js";

/** What the host knows of the documents of one kind. */
export interface KindDefinition {
  kind: string;
  mergeRule: MergeRule;
  /**
   * Checks the own fields of a request and writes them as they are kept. For a PATCH that is what is merged in, so a
   * null that means something stays. Throws REQUEST_INVALID for what the kind requires and JSON_INVALID for a value
   * of another type. `fromMigration`: a migration writes a document that it read elsewhere.
   */
  body(action: "POST" | "PUT" | "PATCH", members: Members, fromMigration?: boolean): string;
}

/** The definition of a kind; one without rules of its own keeps every field as it came. */
export function kindDefinition(kind: string): KindDefinition {
  if (kind === exampleKind) return { kind, mergeRule: "example", body: exampleState };
  return { kind, mergeRule: "shallow", body: (_action, members) => joinMembers(members) };
}

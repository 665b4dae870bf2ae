import { limits } from "../limits.js";
import { compactJson, scanMembers } from "./members.js";

/** A field that differs between two bodies. */
export interface FieldDifference {
  /** JSON Pointer (RFC 6901). */
  path: string;
  /** JSON as written, its beginning if it is long. Absent: there is no such field. */
  from?: string;
  to?: string;
}

/**
 * Yields the fields that differ between two stored bodies, in the order of their names. Objects are compared field by
 * field, arrays and other values as a whole. An empty text is a body without fields.
 */
export function* compareBodies(from: string, to: string, path = ""): Generator<FieldDifference> {
  const before = membersOf(from);
  const after = membersOf(to);
  for (const name of [...new Set([...before.keys(), ...after.keys()])].sort()) {
    const [left, right] = [before.get(name), after.get(name)];
    if (left === right) continue;
    const at = `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (left?.startsWith("{") && right?.startsWith("{")) yield* compareBodies(left, right, at);
    else if (left === undefined || right === undefined || compactJson(left) !== compactJson(right))
      yield {
        path: at,
        ...(left !== undefined && { from: left.slice(0, limits.fieldDifferenceChars) }),
        ...(right !== undefined && { to: right.slice(0, limits.fieldDifferenceChars) }),
      };
  }
}

const membersOf = (text: string) => (text === "" ? new Map<string, string>() : scanMembers(text));

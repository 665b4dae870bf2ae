import { limits } from "../limits.js";
import { compactJson, scanMembers } from "./members.js";

/** A field that differs between two bodies. */
export interface FieldDifference {
  /** JSON Pointer (RFC 6901), its beginning if it is long. */
  path: string;
  /** JSON as written, its beginning if it is long. Absent: there is no such field. */
  from?: string;
  to?: string;
}

/** The fields that differ between two bodies. */
export interface BodyComparison {
  differences: FieldDifference[];
  /** Whether there are more: of limits.fieldDifferences, and limits.fieldDifferencesChars. */
  truncated: boolean;
}

/**
 * Compares two stored bodies. The fields are in the order of their names. Objects are compared field by field down to
 * limits.comparedDepth, arrays and other values as a whole. An empty text is a body without fields.
 */
export function compareBodies(from: string, to: string): BodyComparison {
  const differences: FieldDifference[] = [];
  let chars = 0;
  for (const difference of differencesOf(from, to, "", 1)) {
    const { path, from: left = "", to: right = "" } = difference;
    chars += path.length + left.length + right.length;
    if (differences.length === limits.fieldDifferences || chars > limits.fieldDifferencesChars)
      return { differences, truncated: true };
    differences.push(difference);
  }
  return { differences, truncated: false };
}

function* differencesOf(
  from: string,
  to: string,
  path: string,
  depth: number,
): Generator<FieldDifference> {
  const before = membersOf(from);
  const after = membersOf(to);
  for (const name of [...new Set([...before.keys(), ...after.keys()])].sort()) {
    const [left, right] = [before.get(name), after.get(name)];
    if (left === right) continue;
    const at = beginningOf(`${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`);
    if (left?.startsWith("{") && right?.startsWith("{") && depth < limits.comparedDepth)
      yield* differencesOf(left, right, at, depth + 1);
    else if (left === undefined || right === undefined || compactJson(left) !== compactJson(right))
      yield {
        path: at,
        ...(left !== undefined && { from: beginningOf(left) }),
        ...(right !== undefined && { to: beginningOf(right) }),
      };
  }
}

/** The first characters of a text, without half of one. */
function beginningOf(text: string): string {
  if (text.length <= limits.fieldDifferenceChars) return text;
  const cut = text.slice(0, limits.fieldDifferenceChars);
  return /[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut;
}

const membersOf = (text: string) => (text === "" ? new Map<string, string>() : scanMembers(text));

/**
 * A condition on a document. Field names are dot-separated paths; those in system-fields.ts denote
 * system fields.
 */
export type Filter =
  | { op: "and" | "or"; terms: Filter[] }
  | { op: "not"; term: Filter }
  | { op: "eq" | "ne" | "lt" | "le" | "gt" | "ge"; field: string; value: FilterValue }
  /**
   * Matches the text of the field: `*` matches any characters, `?` one character, and `\` escapes
   * the next one.
   */
  | { op: "like"; field: string; pattern: string }
  /** Matches an array that contains at least one of the values. */
  | { op: "any"; field: string; values: FilterValue[] };

/** A value to compare with. Integers are bigints, so that 64-bit integers compare exactly. */
export type FilterValue = string | number | bigint | boolean | null;

/** A sort key. */
export interface OrderBy {
  field: string;
  descending: boolean;
  /** Sorts by number; missing and non-numeric values count as 0. */
  numeric?: boolean;
}

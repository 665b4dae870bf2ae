/** A condition on a document. Field names are paths with dots; names in system-fields.ts are the system fields. */
export type Filter =
  | { op: "and" | "or"; terms: Filter[] }
  | { op: "not"; term: Filter }
  | { op: "eq" | "ne" | "lt" | "le" | "gt" | "ge"; field: string; value: FilterValue }
  /** The text of the field matches: `*` stands for any run of characters, `?` for one, `\` takes the next one as it is. */
  | { op: "like"; field: string; pattern: string }
  /** The field is an array that holds at least one of the values. */
  | { op: "any"; field: string; values: FilterValue[] };

/** A bigint where the number is a whole one, so that 64-bit integers compare exactly. */
export type FilterValue = string | number | bigint | boolean | null;

export interface OrderBy {
  field: string;
  descending: boolean;
  /** By number: what is missing or no number counts as 0. */
  numeric?: boolean;
}

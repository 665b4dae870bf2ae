/** What Xenon's QueryTask asks for, read and checked. Numbers are kept as the text they came in: none is rounded. */

export const occurances = ["MUST_OCCUR", "MUST_NOT_OCCUR", "SHOULD_OCCUR"] as const;
export type Occurance = (typeof occurances)[number];

export const matchTypes = ["WILDCARD", "TERM", "PHRASE", "PREFIX"] as const;
export type MatchType = (typeof matchTypes)[number];

export const sortOrders = ["ASC", "DESC"] as const;
export type SortOrder = (typeof sortOrders)[number];

/** The types of a range and of a field that is sorted by; DATE is in microseconds. */
export const rangeTypes = ["LONG", "DOUBLE", "DATE"] as const;
export const sortTypes = ["STRING", "LONG", "DOUBLE", "DATE", "BOOLEAN", "ENUM", "URI"] as const;

/** A clause: a term or clauses, and how it counts among its siblings. */
export type Query = { occurance: Occurance } & ({ term: Term } | { clauses: Query[] });

export type Term = { propertyName: string } & (
  | { matchValue: string; matchType: MatchType | undefined }
  | { range: NumericRange; matchType: MatchType | undefined }
);

export interface NumericRange {
  type: (typeof rangeTypes)[number];
  /** JSON numbers. At least one is there. */
  min?: string;
  max?: string;
  isMinInclusive: boolean;
  isMaxInclusive: boolean;
}

export interface SortTerm {
  propertyName: string;
  propertyType: (typeof sortTypes)[number];
  sortOrder: SortOrder;
}

/**
 * The options that are taken, in the order in which Xenon names them. Some mean nothing here: there is one host, each read sees
 * every write before it, every page can be read again, and nothing is indexed in another way for being metadata.
 */
export const supportedOptions = [
  "COUNT",
  "DO_NOT_REFRESH",
  "TOP_RESULTS",
  "EXPAND_CONTENT",
  "INCLUDE_ALL_VERSIONS",
  "INCLUDE_DELETED",
  "SORT",
  "BROADCAST",
  "READ_AFTER_WRITE_CONSISTENCY",
  "OWNER_SELECTION",
  "TIME_SNAPSHOT",
  "SINGLE_USE",
  "INDEXED_METADATA",
  "FORWARD_ONLY",
] as const;
export type QueryOption = (typeof supportedOptions)[number];

export interface QuerySpecification {
  query: Query;
  /** Empty: in whatever order. */
  sort: SortTerm[];
  /** The size of a page, or with TOP_RESULTS how many there are at most; absent: everything in one answer. */
  resultLimit?: number;
  options: ReadonlySet<QueryOption>;
  /** With TIME_SNAPSHOT. Microseconds since 1970, as digits. */
  timeSnapshotBoundaryMicros?: string;
}

/** Xenon's "no limit". */
export const noLimit = 2_147_483_647;

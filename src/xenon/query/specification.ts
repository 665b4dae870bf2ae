// The validated specification of Xenon's QueryTask. Numbers are kept as text, so that none is
// rounded.

/** How a clause contributes to its parent; the spelling is Xenon's. */
export const occurances = ["MUST_OCCUR", "MUST_NOT_OCCUR", "SHOULD_OCCUR"] as const;
/** See occurances. */
export type Occurance = (typeof occurances)[number];

/** How a term matches a value. */
export const matchTypes = ["WILDCARD", "TERM", "PHRASE", "PREFIX"] as const;
/** See matchTypes. */
export type MatchType = (typeof matchTypes)[number];

/** Sort directions. */
export const sortOrders = ["ASC", "DESC"] as const;
/** See sortOrders. */
export type SortOrder = (typeof sortOrders)[number];

/** Types of a range. DATE is in microseconds. */
export const rangeTypes = ["LONG", "DOUBLE", "DATE"] as const;
/** Types of a sort field. DATE is in microseconds. */
export const sortTypes = ["STRING", "LONG", "DOUBLE", "DATE", "BOOLEAN", "ENUM", "URI"] as const;

/** A term or a list of clauses, and how it contributes to its parent. */
export type Query = { occurance: Occurance } & ({ term: Term } | { clauses: Query[] });

/** A condition on a property. */
export type Term = { propertyName: string } & (
  | { matchValue: string; matchType: MatchType | undefined }
  | { range: NumericRange; matchType: MatchType | undefined }
);

/** A range of numbers. */
export interface NumericRange {
  type: (typeof rangeTypes)[number];
  /** JSON numbers; at least one is defined. */
  min?: string;
  max?: string;
  isMinInclusive: boolean;
  isMaxInclusive: boolean;
}

/** A sort field. */
export interface SortTerm {
  propertyName: string;
  propertyType: (typeof sortTypes)[number];
  sortOrder: SortOrder;
}

/**
 * Supported options, in Xenon's order. Some have no effect here: there is a single host, reads see
 * all earlier writes, pages can be read repeatedly, and metadata needs no separate index.
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
/** See supportedOptions. */
export type QueryOption = (typeof supportedOptions)[number];

/** A validated query specification. */
export interface QuerySpecification {
  query: Query;
  /** If empty, the order is unspecified. */
  sort: SortTerm[];
  /**
   * Page size, or the maximum number of results with TOP_RESULTS. If undefined, all results are in
   * one response.
   */
  resultLimit?: number;
  options: ReadonlySet<QueryOption>;
  /** Point in time for TIME_SNAPSHOT: microseconds since 1970 in decimal. */
  timeSnapshotBoundaryMicros?: string;
}

/** Xenon's value for "no limit". */
export const noLimit = 2_147_483_647;

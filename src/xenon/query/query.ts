import type { DocumentStore, Page, PageQuery, RunInSlot } from "../../engine/engine.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { QuerySpecification } from "./specification.js";
import { queryFilter, sortOrderBy } from "./to-filter.js";

/** The source of a query: an index, or anything that can be listed in the same way. */
export interface QueriedIndex extends Pick<DocumentStore, "page" | "count"> {
  state(): Promise<{ positionMicros: number }>;
  /** Identifies the current history; changes when the index is switched by a restore. */
  lineage(): string;
}

/** A page of results. */
export type QueryPage = Page;

/**
 * A query at a fixed position of the log: its results are repeatable, regardless of later writes.
 */
export interface PinnedQuery {
  /** Throws INDEX_SWITCHED after a restore, when the results are no longer readable. */
  check(): void;
  /** Counts the results. If `slot` is given, it runs each slice of the work. */
  count(signal?: AbortSignal, slot?: RunInSlot): Promise<number>;
  /**
   * Reads at most `limit` documents from the cursor on, fewer if they are large. Throws
   * INDEX_SWITCHED after a restore, and TARGET_TIME_OUT_OF_RANGE if versions at its position were
   * pruned.
   */
  page(
    from: { cursor?: string; limit: number; expand: boolean },
    signal?: AbortSignal,
    slot?: RunInSlot,
  ): Promise<QueryPage>;
}

/**
 * Converts a specification to the condition of an index query. Throws REQUEST_INVALID for
 * unsupported conditions.
 */
export function conditionOf({
  options,
  query,
}: QuerySpecification): Pick<
  PageQuery,
  "linkPrefix" | "filter" | "includeDeleted" | "allVersions"
> {
  return {
    linkPrefix: "",
    filter: queryFilter(query),
    ...(options.has("INCLUDE_DELETED") && { includeDeleted: true }),
    ...(options.has("INCLUDE_ALL_VERSIONS") && { allVersions: true }),
  };
}

/** Pins a query to the current position of its index, or to the requested point in time. */
export async function pinQuery(
  index: QueriedIndex,
  spec: QuerySpecification,
): Promise<PinnedQuery> {
  const condition = conditionOf(spec);
  const orderBy = sortOrderBy(spec.sort);
  const lineage = index.lineage();
  const { positionMicros } = await index.state();
  const snapshot = spec.timeSnapshotBoundaryMicros;
  const atMicros =
    snapshot === undefined ? positionMicros : Math.min(Number(snapshot), positionMicros);
  // Checked synchronously before each access, so that the access goes to the index with this
  // lineage.
  const sameIndex = () => {
    if (index.lineage() === lineage) return;
    throw new HostError(
      "INDEX_SWITCHED",
      "The index was restored since the query started. Run the query again.",
    );
  };
  const guarded =
    (slot: RunInSlot): RunInSlot =>
    (slice) =>
      slot(async () => {
        sameIndex();
        return slice();
      });
  sameIndex();
  return {
    check: sameIndex,
    async count(signal, slot) {
      sameIndex();
      return index.count({ ...condition, atMicros }, signal, slot && guarded(slot));
    },
    async page({ cursor, limit, expand }, signal, slot) {
      sameIndex();
      const from = { limit, expand, ...(cursor !== undefined && { cursor }) };
      // Each page of a sorted query sorts all results, so use few large pages.
      const pageBytes = orderBy.length > 0 ? limits.pageBytes : limits.streamedPageBytes;
      return index.page(
        { ...condition, atMicros, orderBy, pageBytes, ...from },
        signal,
        slot && guarded(slot),
      );
    },
  };
}

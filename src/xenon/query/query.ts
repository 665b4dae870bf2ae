import type { DocumentStore, Page, PageQuery, Turn } from "../../engine/engine.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { QuerySpecification } from "./specification.js";
import { queryFilter, sortOrderBy } from "./to-filter.js";

/** What a query is run over: an index of documents, or anything else that can be listed like one. */
export interface QueriedIndex extends Pick<DocumentStore, "page" | "count"> {
  state(): Promise<{ positionMicros: number }>;
  /** Changes in the moment in which another history takes the place of this one. */
  lineage(): string;
}

export type QueryPage = Page;

/** A query at one position of the log: whatever is written later, and however often it is read, it finds the same. */
export interface PinnedQuery {
  /** Throws INDEX_SWITCHED after a restore: there is nothing left to read. */
  check(): void;
  /** `turn`: each slice of it is run by that. */
  count(signal?: AbortSignal, turn?: Turn): Promise<number>;
  /**
   * At most `limit` documents from the cursor on, and fewer where they are large. INDEX_SWITCHED after a restore,
   * TARGET_TIME_OUT_OF_RANGE where versions of its position were pruned since.
   */
  page(
    from: { cursor?: string; limit: number; expand: boolean },
    signal?: AbortSignal,
    turn?: Turn,
  ): Promise<QueryPage>;
}

/** What the index is asked. Throws REQUEST_INVALID for what no filter can say. */
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

/** Fixes a query to the present position of its index, or to the moment that it asks for. */
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
  // Asked in the same turn as what it guards: the call that follows goes to the index of this lineage.
  const sameIndex = () => {
    if (index.lineage() === lineage) return;
    throw new HostError(
      "INDEX_SWITCHED",
      "The index was restored since this query began; run it again.",
    );
  };
  const guarded =
    (turn: Turn): Turn =>
    (slice) =>
      turn(async () => {
        sameIndex();
        return slice();
      });
  sameIndex();
  return {
    check: sameIndex,
    async count(signal, turn) {
      sameIndex();
      return index.count({ ...condition, atMicros }, signal, turn && guarded(turn));
    },
    async page({ cursor, limit, expand }, signal, turn) {
      sameIndex();
      const from = { limit, expand, ...(cursor !== undefined && { cursor }) };
      // Each page of a sorted query is sorted anew, so there are few.
      const pageBytes = orderBy.length > 0 ? limits.pageBytes : limits.streamedPageBytes;
      return index.page(
        { ...condition, atMicros, orderBy, pageBytes, ...from },
        signal,
        turn && guarded(turn),
      );
    },
  };
}

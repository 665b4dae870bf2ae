import {
  noLimit,
  type Query,
  type QuerySpecification,
  type SortTerm,
  type Term,
} from "./specification.js";

/**
 * Renders a specification with Xenon's field order. Defaults are included only if the query has
 * run.
 */
export function specificationText(spec: QuerySpecification, hasRun: boolean): string {
  const { sort, resultLimit, options, timeSnapshotBoundaryMicros } = spec;
  const [first, ...more] = sort;
  const limit = resultLimit ?? (hasRun ? noLimit : undefined);
  return object([
    ["query", queryText(spec.query, hasRun)],
    ["sortTerm", first && sortTermText(first)],
    [
      "additionalSortTerms",
      more.length === 0 ? undefined : `[${more.map(sortTermText).join(",")}]`,
    ],
    ["sortOrder", first && JSON.stringify(first.sortOrder)],
    ["resultLimit", limit?.toString()],
    ["options", JSON.stringify([...options])],
    ["timeSnapshotBoundaryMicros", timeSnapshotBoundaryMicros],
  ]);
}

function queryText(query: Query, hasRun: boolean): string {
  return object([
    ["occurance", `"${query.occurance}"`],
    ["term", "term" in query ? termText(query.term, hasRun) : undefined],
    [
      "booleanClauses",
      "clauses" in query
        ? `[${query.clauses.map((one) => queryText(one, hasRun)).join(",")}]`
        : undefined,
    ],
  ]);
}

function termText(term: Term, hasRun: boolean): string {
  const matchType = term.matchType ?? (hasRun ? "TERM" : undefined);
  return object([
    ["propertyName", JSON.stringify(term.propertyName)],
    ["matchValue", "matchValue" in term ? JSON.stringify(term.matchValue) : undefined],
    ["matchType", matchType && `"${matchType}"`],
    ["range", "range" in term ? rangeText(term.range) : undefined],
  ]);
}

function rangeText({
  type,
  min,
  max,
  isMinInclusive,
  isMaxInclusive,
}: Extract<Term, { range: unknown }>["range"]): string {
  return object([
    ["type", `"${type}"`],
    ["min", min],
    ["max", max],
    ["isMinInclusive", String(isMinInclusive)],
    ["isMaxInclusive", String(isMaxInclusive)],
    ["precisionStep", "16"],
  ]);
}

function sortTermText({ propertyName, propertyType, sortOrder }: SortTerm): string {
  return object([
    ["propertyName", JSON.stringify(propertyName)],
    ["propertyType", `"${propertyType}"`],
    ["sortOrder", `"${sortOrder}"`],
  ]);
}

function object(members: [name: string, value: string | undefined][]): string {
  return `{${members
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `"${name}":${value}`)
    .join(",")}}`;
}

import type { Filter, FilterValue, OrderBy } from "../../document/filter.js";
import { exactInteger } from "../../document/integers.js";
import { HostError } from "../../errors.js";
import type { NumericRange, Query, SortTerm, Term } from "./specification.js";

/**
 * Converts a query to a filter with Lucene semantics: SHOULD clauses are optional next to a MUST
 * clause, otherwise at least one must match; clauses that only exclude match nothing. The
 * occurrence of a single top-level term is ignored.
 */
export function queryFilter(query: Query): Filter {
  if ("term" in query) return termFilter(query.term);
  // Excluding clauses without any other clause match nothing.
  return query.occurance === "MUST_NOT_OCCUR" ? nothing : clausesFilter(query.clauses);
}

const nothing: Filter = { op: "or", terms: [] };

function clausesFilter(clauses: Query[]): Filter {
  const of = (occurance: Query["occurance"]) =>
    clauses
      .filter((one) => one.occurance === occurance)
      .map((one) => ("term" in one ? termFilter(one.term) : clausesFilter(one.clauses)));
  const must = of("MUST_OCCUR");
  const should = of("SHOULD_OCCUR");
  if (must.length === 0 && should.length === 0) return nothing;
  const required: Filter[] = must.length > 0 ? must : [joined("or", should)];
  return joined("and", [
    ...required,
    ...of("MUST_NOT_OCCUR").map((term): Filter => ({ op: "not", term })),
  ]);
}

function termFilter(term: Term): Filter {
  const { propertyName } = term;
  if ("range" in term) return rangeFilter(propertyName, term.range);
  switch (term.matchType) {
    case "WILDCARD":
      return onField(propertyName, (field) => ({ op: "like", field, pattern: term.matchValue }));
    case "PREFIX":
      return onField(propertyName, (field) => ({
        op: "like",
        field,
        pattern: `${term.matchValue.replace(/[\\*?]/g, "\\$&")}*`,
      }));
    case "PHRASE":
      return phraseFilter(propertyName, term.matchValue);
    default:
      return onField(propertyName, (field) => equalsText(field, term.matchValue));
  }
}

/** Fields are not split into words, so a phrase must be a single word that equals the field. */
function phraseFilter(propertyName: string, matchValue: string): Filter {
  const words = matchValue.split(/\W/);
  while (words.length > 1 && words.at(-1) === "") words.pop();
  if (words.length > 1) {
    throw new HostError(
      "REQUEST_INVALID",
      `PHRASE with several words is not supported: ${propertyName} is not split into words. Use TERM, PREFIX or WILDCARD.`,
    );
  }
  return onField(propertyName, (field) => ({ op: "eq", field, value: words[0] ?? "" }));
}

/**
 * Match values are text for any type of field, so they also match the equivalent number or boolean.
 */
function equalsText(field: string, text: string): Filter {
  const equal = (value: FilterValue): Filter => ({ op: "eq", field, value });
  if (text === "true" || text === "false")
    return joined("or", [equal(text), equal(text === "true")]);
  if (!/^-?(?:0|[1-9]\d{0,400})(?:\.\d{1,400})?$/.test(text)) return equal(text);
  return joined("or", [equal(text), equal(numberOf(text))]);
}

function rangeFilter(propertyName: string, range: NumericRange): Filter {
  const { min, max, isMinInclusive, isMaxInclusive } = range;
  if (itemsOf(propertyName) !== undefined) {
    throw new HostError(
      "REQUEST_INVALID",
      `A range on ${propertyName}, the items of an array, is not supported.`,
    );
  }
  if (min !== undefined && max !== undefined && numberOf(min) > numberOf(max)) {
    throw new HostError("REQUEST_INVALID", "max must be greater than min");
  }
  const terms: Filter[] = [];
  if (min !== undefined)
    terms.push({ op: isMinInclusive ? "ge" : "gt", field: propertyName, value: numberOf(min) });
  if (max !== undefined)
    terms.push({ op: isMaxInclusive ? "le" : "lt", field: propertyName, value: numberOf(max) });
  return joined("and", terms);
}

function numberOf(text: string): number | bigint {
  return exactInteger(text) ?? Number(text);
}

/**
 * `tags.item` refers to the items of the array `tags`, and also to an actual field named `item`.
 */
function onField(propertyName: string, filter: (field: string) => Filter): Filter {
  const items = itemsOf(propertyName);
  return items === undefined
    ? filter(propertyName)
    : joined("or", [filter(items), filter(propertyName)]);
}

function itemsOf(propertyName: string): string | undefined {
  return propertyName.endsWith(".item") ? propertyName.slice(0, -".item".length) : undefined;
}

function joined(op: "and" | "or", terms: Filter[]): Filter {
  return terms.length === 1 && terms[0] !== undefined ? terms[0] : { op, terms };
}

/** Converts sort terms. Numbers sort by value, with missing fields as 0. */
export function sortOrderBy(sort: SortTerm[]): OrderBy[] {
  return sort.map(({ propertyName, propertyType, sortOrder }) => ({
    field: propertyName,
    descending: sortOrder === "DESC",
    ...((propertyType === "LONG" || propertyType === "DOUBLE") && { numeric: true }),
  }));
}

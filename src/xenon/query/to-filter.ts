import type { Filter, FilterValue, OrderBy } from "../../document/filter.js";
import { exactInteger } from "../../document/integers.js";
import { HostError } from "../../errors.js";
import type { NumericRange, Query, SortTerm, Term } from "./specification.js";

/**
 * A query as a filter, with the meaning that clauses have in Lucene: SHOULD clauses are optional beside a MUST, else one
 * of them has to match; clauses that only exclude match nothing. How a lone term at the top occurs means nothing.
 */
export function queryFilter(query: Query): Filter {
  if ("term" in query) return termFilter(query.term);
  // Clauses that only exclude match nothing, and so do those that exclude what is beside nothing.
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
  const wanted: Filter[] = must.length > 0 ? must : [joined("or", should)];
  return joined("and", [
    ...wanted,
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

/** Fields are kept as they are and not as words, so a phrase is one word that is the whole of the field. */
function phraseFilter(propertyName: string, matchValue: string): Filter {
  const words = matchValue.split(/\W/);
  while (words.length > 1 && words.at(-1) === "") words.pop();
  if (words.length > 1) {
    throw new HostError(
      "REQUEST_INVALID",
      `A PHRASE of several words cannot be matched: ${propertyName} is kept as it is, not as words. Use TERM, PREFIX or WILDCARD.`,
    );
  }
  return onField(propertyName, (field) => ({ op: "eq", field, value: words[0] ?? "" }));
}

/** A match value is a text whatever the field is: it stands for the number or the boolean that is written so, too. */
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

/** `tags.item` are the items of the array `tags`; a field that is really called item is meant as well. */
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

/** The order of a sorted query: numbers by their value with what is missing as 0, anything else as it is. */
export function sortOrderBy(sort: SortTerm[]): OrderBy[] {
  return sort.map(({ propertyName, propertyType, sortOrder }) => ({
    field: propertyName,
    descending: sortOrder === "DESC",
    ...((propertyType === "LONG" || propertyType === "DOUBLE") && { numeric: true }),
  }));
}

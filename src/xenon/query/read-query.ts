import { scanItems, type Members } from "../../document/members.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { booleanOf, memberText, objectOf, stringOf, wordOf } from "./json-fields.js";
import { wrongType } from "../../document/wrong-type.js";
import {
  matchTypes,
  occurances,
  rangeTypes,
  type NumericRange,
  type Query,
  type Term,
} from "./specification.js";

/**
 * Parses `querySpec.query`. Throws REQUEST_INVALID, with Xenon's message if it has one, and
 * JSON_INVALID for a wrong type.
 */
export function readQuery(raw: string, path: string): Query {
  let terms = 0;

  function clause(text: string, at: string, depth: number): Query {
    if (depth > limits.queryDepth)
      throw invalid(`${at} exceeds the nesting limit of ${limits.queryDepth} levels.`);
    const members = objectOf(text, at);
    const occurance = wordOf(members, "occurance", at, occurances) ?? "MUST_OCCUR";
    const term = memberText(members, "term");
    const clauses = memberText(members, "booleanClauses");
    if (term !== undefined && clauses !== undefined)
      throw invalid("term and booleanClauses are mutually exclusive");
    if (clauses !== undefined) {
      if (!clauses.startsWith("[")) throw wrongType(`${at}.booleanClauses`, "an array", clauses);
      const items = scanItems(clauses);
      return {
        occurance,
        clauses: items.map((item, i) => clause(item, `${at}.booleanClauses[${i}]`, depth + 1)),
      };
    }
    if (term === undefined) throw invalid("One of term, booleanClauses must be provided");
    terms += 1;
    if (terms > limits.filterTerms)
      throw invalid(`${path} exceeds the limit of ${limits.filterTerms} terms.`);
    return { occurance, term: readTerm(objectOf(term, `${at}.term`), `${at}.term`) };
  }

  return clause(raw, path, 0);
}

function readTerm(members: Members, at: string): Term {
  const propertyName = stringOf(members, "propertyName", at);
  const matchValue = stringOf(members, "matchValue", at);
  const matchType = wordOf(members, "matchType", at, matchTypes);
  const range = memberText(members, "range");
  if (range === undefined && matchValue === undefined)
    throw invalid("One of term.matchValue, term.range is required");
  if (range !== undefined && matchValue !== undefined)
    throw invalid("term.matchValue and term.range are exclusive of each other");
  if (propertyName === undefined || propertyName === "")
    throw invalid("term.propertyName is required");
  checkName(propertyName);
  if (range !== undefined)
    return {
      propertyName,
      matchType,
      range: readRange(objectOf(range, `${at}.range`), `${at}.range`),
    };
  return { propertyName, matchType, matchValue: matchValue ?? "" };
}

/** Throws REQUEST_INVALID for a name over limits.propertyNameBytes. */
export function checkName(propertyName: string): void {
  if (Buffer.byteLength(propertyName) > limits.propertyNameBytes)
    throw invalid(`term.propertyName exceeds the limit of ${limits.propertyNameBytes} bytes.`);
}

function readRange(members: Members, at: string): NumericRange {
  const min = numberOf(members, "min", at);
  const max = numberOf(members, "max", at);
  if (min === undefined && max === undefined) throw invalid("max and min can not both be null");
  const type = wordOf(members, "type", at, rangeTypes);
  if (type === undefined) throw invalid("type must be specified");
  return {
    type,
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    isMinInclusive: booleanOf(members, "isMinInclusive", at),
    isMaxInclusive: booleanOf(members, "isMaxInclusive", at),
  };
}

function numberOf(members: Members, name: string, at: string): string | undefined {
  const raw = memberText(members, name);
  if (raw !== undefined && !/^-?\d{1,400}(?:\.\d{1,400})?(?:[eE][+-]?\d{1,3})?$/.test(raw))
    throw wrongType(`${at}.${name}`, "a number", raw);
  return raw;
}

function invalid(message: string): HostError {
  return new HostError("REQUEST_INVALID", message);
}

import type { Filter, FilterValue, OrderBy } from "../../document/filter.js";
import { isInt64 } from "../../document/integers.js";
import { systemField, systemFields, type SystemField } from "../../document/system-fields.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";

/**
 * Translates filters into SQL over the log, aliased `l`. Every value and every path of a field is a bound parameter. A
 * condition is 0 or 1 and never NULL, so that `not` is its exact opposite: a missing field equals null alone. Values
 * compare by type: a string never equals a number, true never equals 1. For an array, eq, any and like hold if they hold
 * for one item; ordered comparisons apply to plain fields alone. A dot in a field name separates nested fields, or is
 * part of a key; both are tried. The connection needs the functions of patterns.ts.
 */

export type SqlParam = string | number | bigint;

export interface SqlFragment {
  sql: string;
  params: SqlParam[];
}

/** Translates a filter. FILTER_INVALID for a field name that no path can express, and for more than limits.filterTerms terms. */
export function filterToSql(filter: Filter): SqlFragment {
  const params: SqlParam[] = [];
  const sql = new Writer(params).condition(filter, 0);
  return { sql, params };
}

/** Translates an order: missing fields first, then numbers, then strings; or by number alone. */
export function orderToSql(orderBy: OrderBy[]): SqlFragment {
  const params: SqlParam[] = [];
  const terms = orderBy.map(({ field, descending, numeric }) => {
    const direction = descending ? " DESC" : "";
    const system = systemField(field);
    if (system !== undefined) return `${columns[system]}${direction}`;
    const paths = jsonPaths(field);
    if (!numeric) {
      params.push(...paths);
      return paths.length === 1
        ? `(l.body ->> ?)${direction}`
        : `coalesce(${paths.map(() => "l.body ->> ?").join(", ")})${direction}`;
    }
    params.push(...paths.flatMap((path) => [path, path]));
    return `(CASE ${paths.map(() => "WHEN json_type(l.body, ?) IN ('integer','real') THEN (l.body ->> ?)").join(" ")} ELSE 0 END)${direction}`;
  });
  return { sql: terms.join(", "), params };
}

const columns: Record<SystemField, string> = {
  documentSelfLink: "l.link",
  documentVersion: "l.version",
  documentUpdateTimeMicros: "l.time",
  documentUpdateAction: "l.action",
  documentKind: "l.kind",
  documentOwner: "l.owner",
  documentExpirationTimeMicros: "l.expires",
  documentEpoch: "0",
};

const signs = { eq: "=", lt: "<", le: "<=", gt: ">", ge: ">=" } as const;
type Sign = keyof typeof signs;

/** Test of a value: the JSON types that it can equal, and the SQL that tests one value. */
interface Test {
  types: string;
  /** SQL with one parameter, the tested value. */
  sql: (value: string) => string;
  params: SqlParam[];
}

class Writer {
  private terms = 0;

  constructor(private readonly params: SqlParam[]) {}

  condition(filter: Filter, depth: number): string {
    // SQLite limits the depth of an expression too, with a message that does not help.
    if (depth > 2 * limits.filterTerms)
      throw new HostError("FILTER_INVALID", "The filter is nested too deeply.");
    switch (filter.op) {
      case "and":
      case "or": {
        if (filter.terms.length === 0) return filter.op === "and" ? "1" : "0";
        const terms = filter.terms.map((term) => this.condition(term, depth + 1));
        return `(${terms.join(filter.op === "and" ? " AND " : " OR ")})`;
      }
      case "not":
        return `(NOT ${this.condition(filter.term, depth + 1)})`;
      case "like":
        return this.like(filter.field, filter.pattern);
      case "any":
        if (filter.values.length === 0) return "0";
        return `(${filter.values.map((value) => this.compare("eq", filter.field, value, true)).join(" OR ")})`;
      case "ne":
        return `(NOT ${this.compare("eq", filter.field, filter.value)})`;
      default:
        return this.compare(filter.op, filter.field, filter.value);
    }
  }

  private compare(sign: Sign, field: string, value: FilterValue, item = false): string {
    this.countTerm();
    const system = systemField(field);
    if (system !== undefined) return this.compareColumn(sign, system, value);
    if (value === null && !item) {
      if (sign !== "eq") return "0";
      const paths = jsonPaths(field);
      this.params.push(...paths);
      return `(${paths.map(() => "coalesce(json_type(l.body, ?), 'null') = 'null'").join(" AND ")})`;
    }
    if (typeof value === "boolean" || value === null) {
      if (sign !== "eq") return "0";
      return this.test(field, { types: `'${String(value)}'`, sql: () => "1", params: [] }, true);
    }
    const types = typeof value === "string" ? "'text'" : "'integer','real'";
    return this.test(
      field,
      { types, sql: (one) => `${one} ${signs[sign]} ?`, params: [param(value)] },
      sign === "eq",
    );
  }

  private like(field: string, pattern: string): string {
    this.countTerm();
    const system = systemField(field);
    if (system === undefined) {
      return this.test(
        field,
        { types: "'text'", sql: (one) => `holdfast_like(${one}, ?)`, params: [pattern] },
        true,
      );
    }
    if (systemFields[system] !== "text") return "0";
    this.params.push(pattern);
    return `holdfast_like(${columns[system]}, ?)`;
  }

  private compareColumn(sign: Sign, system: SystemField, value: FilterValue): string {
    // Column affinity would convert '5' into 5, so the SQL compares types.
    const fits =
      systemFields[system] === "text"
        ? typeof value === "string"
        : typeof value === "bigint" || typeof value === "number";
    if (!fits || value === null || typeof value === "boolean") return "0";
    this.params.push(param(value));
    return `(${columns[system]} ${signs[sign]} ?)`;
  }

  private test(field: string, test: Test, items: boolean): string {
    const [first = "", ...others] = jsonPaths(field);
    if (others.length === 0) return this.testAt(first, test, items);
    return `(${[first, ...others].map((path) => this.testAt(path, test, items)).join(" OR ")})`;
  }

  private testAt(path: string, test: Test, items: boolean): string {
    this.params.push(path, path, ...test.params);
    // Reads the text of ->> only for a matching type: an object has a text too.
    const plain = `WHEN json_type(l.body, ?) IN (${test.types}) THEN ${sqlOrPath(test)}`;
    if (!items) return `(CASE ${plain} ELSE 0 END)`;
    this.params.push(path, path, ...test.params);
    return (
      `(CASE ${plain} WHEN json_type(l.body, ?) = 'array' THEN EXISTS ` +
      `(SELECT 1 FROM json_each(l.body, ?) i WHERE i.type IN (${test.types}) AND ${test.sql("i.value")}) ELSE 0 END)`
    );
  }

  private countTerm(): void {
    this.terms += 1;
    if (this.terms > limits.filterTerms) {
      throw new HostError(
        "FILTER_INVALID",
        `The filter has more than ${limits.filterTerms} terms.`,
      );
    }
  }
}

/** Each test binds the path a second time, also if it tests the type alone. */
function sqlOrPath(test: Test): string {
  return test.params.length === 0 ? "(? IS NOT NULL)" : test.sql("(l.body ->> ?)");
}

function param(value: string | number | bigint): SqlParam {
  // SQLite reads a number beyond 64 bits as a double.
  return typeof value === "bigint" && !isInt64(value) ? Number(value) : value;
}

// SQLite's paths cannot express a quote or a backslash in a label.
const unwritable = /["\\\u0000-\u001f]/;

/** Greatest number of labels before a key that contains a dot. */
const labelsBeforeDots = 3;

/** Returns the paths of a field: nested by each dot, or under a key that is the rest of the name, as in keyValues.a.b. */
function jsonPaths(field: string): string[] {
  const labels = field.split(".");
  if (labels.includes("") || unwritable.test(field)) {
    throw new HostError(
      "FILTER_INVALID",
      `${JSON.stringify(field)} is no name of a field that can be filtered by.`,
    );
  }
  const pathOf = (parts: string[]) => `$.${parts.map((label) => `"${label}"`).join(".")}`;
  const joined = Array.from(
    { length: Math.min(Math.max(0, labels.length - 2), labelsBeforeDots) },
    (_, i) => pathOf([...labels.slice(0, i + 1), labels.slice(i + 1).join(".")]),
  );
  return [pathOf(labels), ...joined];
}

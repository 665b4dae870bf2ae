import Database from "better-sqlite3";
import fc from "fast-check";
import { definePatterns } from "../../src/engine/filter/patterns.js";
import { filterToSql } from "../../src/engine/filter/filter-sql.js";
import { readSpecification } from "../../src/xenon/query/read-specification.js";
import { queryFilter } from "../../src/xenon/query/to-filter.js";

/**
 * A straightforward evaluation of Xenon's queries, with which the results of the host
 * are compared.
 */

interface Clause {
  occurance?: string;
  term?: { propertyName: string; matchValue?: string; matchType?: string; range?: Range };
  booleanClauses?: Clause[];
}
interface Range {
  type: string;
  min?: number;
  max?: number;
  isMinInclusive?: boolean;
  isMaxInclusive?: boolean;
}
type Body = Record<string, unknown>;

function holds(body: Body, clause: Clause): boolean {
  if (clause.term !== undefined) return termHolds(body, clause.term);
  const clauses = clause.booleanClauses ?? [];
  const of = (occurance: string) =>
    clauses.filter((one) => (one.occurance ?? "MUST_OCCUR") === occurance);
  const [must, should, not] = [of("MUST_OCCUR"), of("SHOULD_OCCUR"), of("MUST_NOT_OCCUR")];
  if (not.some((one) => holds(body, one))) return false;
  if (must.length > 0) return must.every((one) => holds(body, one));
  return should.some((one) => holds(body, one));
}

function termHolds(
  body: Body,
  { propertyName, matchValue = "", matchType = "TERM", range }: NonNullable<Clause["term"]>,
): boolean {
  const names = propertyName.endsWith(".item")
    ? [propertyName.slice(0, -5), propertyName]
    : [propertyName];
  return names.some((name) => {
    const value = name
      .split(".")
      .reduce<unknown>(
        (at, part) => (typeof at === "object" && at !== null ? (at as Body)[part] : undefined),
        body,
      );
    if (range !== undefined) return typeof value === "number" && inRange(value, range);
    return (Array.isArray(value) ? value : [value]).some((one) => {
      if (matchType === "TERM")
        return ["string", "number", "boolean"].includes(typeof one) && String(one) === matchValue;
      if (typeof one !== "string") return false;
      return matchType === "PREFIX" ? one.startsWith(matchValue) : wildcard(matchValue, one);
    });
  });
}

function inRange(value: number, { min, max, isMinInclusive, isMaxInclusive }: Range): boolean {
  const above = min === undefined || value > min || (isMinInclusive === true && value === min);
  const below = max === undefined || value < max || (isMaxInclusive === true && value === max);
  return above && below;
}

/** Recursive in both strings. */
function wildcard(pattern: string, text: string): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return text === "";
  if (first === "*")
    return wildcard(rest.join(""), text) || (text !== "" && wildcard(pattern, text.slice(1)));
  if (first === "?") return text !== "" && wildcard(rest.join(""), text.slice(1));
  const [literal, behind] =
    first === "\\" && rest[0] !== undefined ? [rest[0], rest.slice(1)] : [first, rest];
  return text.startsWith(literal) && wildcard(behind.join(""), text.slice(literal.length));
}

const database = new Database(":memory:");
definePatterns(database);
database.exec("CREATE TABLE log (version INTEGER PRIMARY KEY, body TEXT NOT NULL)");
afterAll(() => database.close());

function found(bodies: Body[], query: Clause): number[] {
  database.exec("DELETE FROM log");
  for (const [i, body] of bodies.entries())
    database.prepare("INSERT INTO log VALUES (?, ?)").run(i, JSON.stringify(body));
  const { sql, params } = filterToSql(
    queryFilter(readSpecification(JSON.stringify({ query })).query),
  );
  return database
    .prepare(`SELECT l.version FROM log l WHERE ${sql} ORDER BY l.version`)
    .pluck()
    .all(...params) as number[];
}

const texts = ["", "a", "A", "ab", "abc", "a*b", "a?b", "5", "true", "x\\y", "[a]"];
const scalar = fc.oneof(fc.constantFrom(...texts), fc.integer({ min: -3, max: 6 }), fc.boolean());
const body: fc.Arbitrary<Body> = fc.record(
  {
    a: fc.oneof(scalar, fc.array(scalar, { maxLength: 3 })),
    m: fc.record({ k: scalar }),
    n: fc.oneof(fc.integer({ min: -3, max: 6 }), scalar),
  },
  { requiredKeys: [] },
);
const property = fc.constantFrom("a", "a.item", "m.k", "n", "nope");
const pattern = fc.string({
  unit: fc.constantFrom("*", "?", "\\", "a", "b", "5", "["),
  maxLength: 4,
});
const term = fc.oneof(
  fc.record({ propertyName: property, matchValue: fc.constantFrom(...texts, "-1", "false") }),
  fc.record({
    propertyName: property,
    matchType: fc.constantFrom("WILDCARD", "PREFIX"),
    matchValue: pattern,
  }),
  fc
    .record({
      min: fc.integer({ min: -3, max: 6 }),
      span: fc.integer({ min: 0, max: 5 }),
      ends: fc.constantFrom("both", "min", "max"),
      a: fc.boolean(),
      b: fc.boolean(),
    })
    .chain(({ min, span, ends, a, b }) =>
      fc.constantFrom("n", "m.k", "a").map((propertyName) => ({
        propertyName,
        range: {
          type: "LONG",
          isMinInclusive: a,
          isMaxInclusive: b,
          ...(ends !== "max" && { min }),
          ...(ends !== "min" && { max: min + span }),
        },
      })),
    ),
);
const occurance = fc.constantFrom("MUST_OCCUR", "SHOULD_OCCUR", "MUST_NOT_OCCUR");
const { clause } = fc.letrec<{ clause: Clause }>((tie) => ({
  clause: fc.oneof(
    { maxDepth: 3 },
    fc.record({ occurance, term }),
    fc.record({ occurance, booleanClauses: fc.array(tie("clause"), { maxLength: 4 }) }),
  ),
}));

test("results match a straightforward evaluation on random documents and queries", () => {
  fc.assert(
    fc.property(
      fc.array(body, { minLength: 1, maxLength: 6 }),
      fc.array(clause, { maxLength: 4 }),
      (bodies, booleanClauses) => {
        const query: Clause = { booleanClauses };
        expect(found(bodies, query)).toEqual(
          bodies.flatMap((one, i) => (holds(one, query) ? [i] : [])),
        );
      },
    ),
    { numRuns: 2000 },
  );
});

const name = (matchValue: string, how = "MUST_OCCUR"): Clause => ({
  occurance: how,
  term: { propertyName: "name", matchValue },
});

test.each<[string, Clause, number[]]>([
  ["a lone term counts however it occurs", name("a", "MUST_NOT_OCCUR"), [0]],
  [
    "clauses that are excluded as a whole match nothing",
    { occurance: "MUST_NOT_OCCUR", booleanClauses: [name("a")] },
    [],
  ],
  [
    "clauses that only exclude match nothing",
    { booleanClauses: [name("a", "MUST_NOT_OCCUR")] },
    [],
  ],
  ["no clauses match nothing", { booleanClauses: [] }, []],
  [
    "beside a must, a should is optional",
    { booleanClauses: [name("a"), name("zzz", "SHOULD_OCCUR")] },
    [0],
  ],
  [
    "of shoulds alone one has to match",
    { booleanClauses: [name("a", "SHOULD_OCCUR"), name("b", "SHOULD_OCCUR")] },
    [0, 1],
  ],
])("%s, as in Xenon", (_what, query, expected) => {
  expect(found([{ name: "a" }, { name: "b" }, { name: "c" }], query)).toEqual(expected);
});

test("ranges compare 64-bit integers exactly and are exclusive without flags", () => {
  const bodies = [5, 6, 7].map((n) => ({ n }));
  const of = (range: object): Clause => ({
    term: { propertyName: "n", range: { type: "LONG", ...range } },
  });
  expect(found(bodies, of({ min: 5, max: 7 }))).toEqual([1]);
  const query =
    '{"query":{"term":{"propertyName":"n","range":{"type":"LONG","min":9007199254740993,"isMinInclusive":true,"max":9007199254740993,"isMaxInclusive":true}}}}';
  const { sql, params } = filterToSql(queryFilter(readSpecification(query).query));
  database.exec(
    `DELETE FROM log; INSERT INTO log VALUES (0, '{"n":9007199254740992}'), (1, '{"n":9007199254740993}'), (2, '{"n":9007199254740994}')`,
  );
  expect(
    database
      .prepare(`SELECT l.version FROM log l WHERE ${sql}`)
      .pluck()
      .all(...params),
  ).toEqual([1]);
});

test("rejects a range whose end precedes its start, a range on items, and a phrase of several words", () => {
  const refused = (term: object) => () =>
    queryFilter(readSpecification(JSON.stringify({ query: { term } })).query);
  expect(refused({ propertyName: "n", range: { type: "LONG", min: 2, max: 1 } })).toThrow(
    /^max must be greater than min$/,
  );
  expect(refused({ propertyName: "n.item", range: { type: "LONG", min: 2 } })).toThrow(
    /items of an array/,
  );
  expect(refused({ propertyName: "n", matchType: "PHRASE", matchValue: "two words" })).toThrow(
    /PHRASE with several words/,
  );
  expect(
    found([{ n: "one" }], { term: { propertyName: "n", matchType: "PHRASE", matchValue: "one" } }),
  ).toEqual([0]);
});

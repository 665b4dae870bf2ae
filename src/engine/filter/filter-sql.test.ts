import Database from "better-sqlite3";
import fc from "fast-check";
import { matches } from "../../../test/support/match-filter.js";
import type { DocumentVersion } from "../../document/document.js";
import type { Filter, FilterValue } from "../../document/filter.js";
import { parseFilter, parseOrderBy } from "../../document/odata.js";
import { definePatterns } from "./patterns.js";
import { filterToSql, orderToSql } from "./filter-sql.js";

const database = new Database(":memory:");
definePatterns(database);
database.exec(
  "CREATE TABLE log (time INTEGER PRIMARY KEY, link TEXT NOT NULL, version INTEGER NOT NULL, action TEXT NOT NULL, " +
    "kind TEXT NOT NULL, owner TEXT NOT NULL, expires INTEGER NOT NULL, body TEXT NOT NULL) STRICT",
);
const insert = database.prepare("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?)");

function fill(bodies: string[]): DocumentVersion[] {
  database.exec("DELETE FROM log");
  return bodies.map((body, i) => {
    const document: DocumentVersion = {
      link: `/f/${i}`,
      version: i,
      updateTimeMicros: i + 1,
      action: "POST",
      kind: "k",
      owner: "o",
      expirationTimeMicros: 0,
      body,
    };
    insert.run(i + 1, document.link, i, "POST", "k", "o", 0, body);
    return document;
  });
}

function found(filter: Filter): number[] {
  const { sql, params } = filterToSql(filter);
  const rows = database
    .prepare(`SELECT l.version FROM log l WHERE ${sql} ORDER BY l.time`)
    .pluck()
    .all(...params);
  return rows as number[];
}

const select = (text: string) => found(parseFilter(text));

afterAll(() => database.close());

describe("filters as SQL", () => {
  test("compares 64-bit integers exactly", () => {
    fill([
      '{"n":9007199254740992}',
      '{"n":9007199254740993}',
      '{"n":9223372036854775807}',
      '{"n":1.5}',
      '{"n":123456789012345678901234}',
    ]);
    expect(select("n eq 9007199254740993")).toEqual([1]);
    expect(select("n gt 9007199254740992")).toEqual([1, 2, 4]);
    expect(select("n eq 9223372036854775807")).toEqual([2]);
    expect(select("n lt 2")).toEqual([3]);
    expect(select("n ge 99999999999999999999")).toEqual([4]);
  });

  test("compares by type: no string equals a number, no boolean equals 1, no object equals its text", () => {
    fill([
      '{"a":1}',
      '{"a":"1"}',
      '{"a":true}',
      '{"a":{"b":1}}',
      '{"a":1.0}',
      "{}",
      '{"a":null}',
      '{"a":false}',
    ]);
    expect(select("a eq 1")).toEqual([0, 4]);
    expect(select("a eq '1'")).toEqual([1]);
    expect(select("a eq true")).toEqual([2]);
    expect(select("a eq false")).toEqual([7]);
    expect(select(`a eq '{"b":1}'`)).toEqual([]);
    expect(select("a gt 0")).toEqual([0, 4]);
    expect(select("a gt ''")).toEqual([1]);
  });

  test("ne is the opposite of eq: a missing field is not equal to a value", () => {
    fill(['{"a":"x"}', '{"a":"y"}', "{}", '{"a":null}']);
    expect(select("a ne 'x'")).toEqual([1, 2, 3]);
    expect(select("not a eq 'x'")).toEqual([1, 2, 3]);
    expect(select("a eq null")).toEqual([2, 3]);
    expect(select("a ne null")).toEqual([0, 1]);
    expect(select("not (a gt 'x')")).toEqual([0, 2, 3]);
  });

  test("looks into arrays with eq, any, all and wildcards", () => {
    fill([
      '{"tags":["a","b"]}',
      '{"tags":["c"]}',
      '{"tags":[]}',
      '{"tags":"a"}',
      '{"tags":{"x":"a"}}',
      '{"tags":["b","a*c"]}',
    ]);
    expect(select("tags eq 'a'")).toEqual([0, 3]);
    expect(select("tags/item eq 'a'")).toEqual([0, 3]);
    expect(select("tags/item any 'a;c'")).toEqual([0, 1, 3]);
    expect(select("tags.item all 'a;b'")).toEqual([0]);
    expect(select("tags/item ne 'a'")).toEqual([1, 2, 4, 5]);
    expect(select("tags eq 'a*'")).toEqual([0, 3, 5]);
  });

  test("treats * and ? of a wildcard as special, and no other character", () => {
    fill(['{"n":"foobar"}', '{"n":"[fo]o"}', '{"n":"foo"}', '{"n":"FOO"}', '{"n":"bar\\nfoo"}']);
    expect(select("n eq 'foo*'")).toEqual([0, 2]);
    expect(select("n eq '[fo]*'")).toEqual([1]);
    expect(select("n eq '*f?o'")).toEqual([2, 4]);
    expect(select("n ne '*foo*'")).toEqual([1, 3]);
  });

  test("takes a character after a backslash literally", () => {
    fill([
      '{"n":"a*b"}',
      '{"n":"a?b"}',
      '{"n":"axb"}',
      '{"n":"a\\\\b"}',
      '{"n":"a[b"}',
      '{"n":"ab"}',
    ]);
    const like = (pattern: string) => found({ op: "like", field: "n", pattern });
    expect(like("a\\*b")).toEqual([0]);
    expect(like("a\\?b")).toEqual([1]);
    expect(like("a\\\\b")).toEqual([3]);
    expect(like("a\\[b")).toEqual([4]);
    expect(like("a\\xb")).toEqual([2]);
    expect(like("a?b")).toEqual([0, 1, 2, 3, 4]);
    expect(like("ab\\")).toEqual([]);
    expect(select("n eq 'a\\**'")).toEqual([0]);
  });

  test("reads nested fields and system fields", () => {
    fill(['{"keyValues":{"a b":"1","k":"v"}}', '{"keyValues":{"k":"w"}}', '{"keyValues.k":"v"}']);
    expect(select("keyValues.k eq 'v'")).toEqual([0]);
    expect(select("keyValues/k eq 'w'")).toEqual([1]);
    expect(select("documentVersion ge 1 and documentSelfLink ne '/f/2'")).toEqual([1]);
    expect(select("documentVersion eq '1'")).toEqual([]);
    expect(select("documentSelfLink eq '/f/*'")).toEqual([0, 1, 2]);
    expect(select("documentUpdateTimeMicros le 2 and documentEpoch eq 0")).toEqual([0, 1]);
    expect(select("documentKind eq null")).toEqual([]);
  });

  test("finds keys of a map that contain dots, and nested fields", () => {
    fill([
      '{"keyValues":{"a.b":"dot","a":"plain"}}',
      '{"keyValues":{"a":{"b":"dot"}}}',
      '{"keyValues":{"a":"dot"}}',
      '{"keyValues":{"a.b.c":7,"a.b":null}}',
      '{"m":{"keyValues":{"x.y":["dot"]}}}',
    ]);
    expect(select("keyValues.a.b eq 'dot'")).toEqual([0, 1]);
    expect(select("keyValues.a.b ne 'dot'")).toEqual([2, 3, 4]);
    expect(select("keyValues.a.b eq null")).toEqual([2, 3, 4]);
    expect(select("keyValues.a.b.c ge 7")).toEqual([3]);
    expect(select("m.keyValues.x.y eq 'dot'")).toEqual([4]);
    expect(found({ op: "like", field: "keyValues.a.b", pattern: "d*" })).toEqual([0, 1]);
  });

  test("never executes a value or a field name as SQL", () => {
    fill(['{"a":"x"}']);
    expect(select("a eq '''; DROP TABLE log; --'")).toEqual([]);
    expect(found({ op: "eq", field: "a' OR 1", value: "x" })).toEqual([]);
    expect(() => found({ op: "eq", field: 'a"."b', value: 1 })).toThrow(/no name of a field/);
  });

  test("rejects more terms than the limit", () => {
    const term: Filter = { op: "eq", field: "a", value: 1n };
    expect(() => filterToSql({ op: "or", terms: Array<Filter>(101).fill(term) })).toThrow(
      /more than 100 terms/,
    );
    expect(() =>
      filterToSql({ op: "any", field: "a", values: Array<FilterValue>(101).fill(1n) }),
    ).toThrow(/more than 100 terms/);
    expect(found({ op: "or", terms: Array<Filter>(100).fill(term) })).toEqual([]);
  });

  test("orders by fields and columns", () => {
    fill(['{"a":2}', '{"a":1}', '{"a":10}', "{}"]);
    const order = orderToSql(parseOrderBy("a desc,documentVersion"));
    const rows = database
      .prepare(`SELECT l.version FROM log l ORDER BY ${order.sql}`)
      .pluck()
      .all(...order.params);
    expect(rows).toEqual([2, 0, 1, 3]);
  });

  test("orders by number, counting missing and other values as 0", () => {
    fill([
      '{"a":2}',
      '{"a":-1}',
      '{"a":9007199254740993}',
      "{}",
      '{"a":9007199254740992}',
      '{"a":"7"}',
    ]);
    const order = orderToSql([
      { field: "a", descending: true, numeric: true },
      { field: "documentVersion", descending: false },
    ]);
    const rows = database
      .prepare(`SELECT l.version FROM log l ORDER BY ${order.sql}`)
      .pluck()
      .all(...order.params);
    expect(rows).toEqual([2, 4, 0, 3, 5, 1]);
  });

  test("matches an evaluation in memory on random documents and filters", () => {
    const field = fc.constantFrom("a", "b", "a.c", "documentVersion", "documentSelfLink");
    const scalar = fc.oneof(
      fc.constantFrom("", "a", "ab", "b", "1", "[a]", "é", "/f/1"),
      fc.integer({ min: -3, max: 3 }),
      fc.constantFrom(0.5, 1.5),
      fc.boolean(),
      fc.constant(null),
    );
    const value: fc.Arbitrary<FilterValue> = scalar.map((v) =>
      Number.isInteger(v) ? BigInt(v as number) : v,
    );
    const ordered = fc.oneof(
      fc.constantFrom("a", "b", "1"),
      fc.integer({ min: -3, max: 3 }).map(BigInt),
      fc.constant(0.5),
    );
    const { filter } = fc.letrec<{ filter: Filter }>((tie) => ({
      filter: fc.oneof(
        { maxDepth: 4 },
        fc.record({ op: fc.constantFrom("eq" as const, "ne" as const), field, value }),
        fc.record({
          op: fc.constantFrom("lt" as const, "le" as const, "gt" as const, "ge" as const),
          field,
          value: ordered,
        }),
        fc.record({
          op: fc.constant("like" as const),
          field,
          pattern: fc.constantFrom(
            "*",
            "a*",
            "?",
            "*b",
            "[a]",
            "*é*",
            "\\*",
            "\\a*",
            "a\\",
            "\\[a\\]",
          ),
        }),
        fc.record({
          op: fc.constant("any" as const),
          field: fc.constantFrom("a", "b"),
          values: fc.array(value, { maxLength: 3 }),
        }),
        fc.record({
          op: fc.constantFrom("and" as const, "or" as const),
          terms: fc.array(tie("filter"), { maxLength: 3 }),
        }),
        fc.record({ op: fc.constant("not" as const), term: tie("filter") }),
      ),
    }));
    const content = fc.oneof(scalar, fc.array(scalar, { maxLength: 3 }), fc.record({ c: scalar }));
    const body = fc
      .record({ a: content, b: content }, { requiredKeys: [] })
      .map((v) => JSON.stringify(v));
    fc.assert(
      fc.property(fc.array(body, { minLength: 1, maxLength: 6 }), filter, (bodies, one) => {
        const documents = fill(bodies);
        expect(found(one)).toEqual(
          documents
            .filter((document) => matches(document, one))
            .map((document) => document.version),
        );
      }),
      { numRuns: 1500 },
    );
  });
});

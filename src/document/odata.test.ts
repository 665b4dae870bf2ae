import { parseFilter, parseOrderBy } from "./odata.js";

describe("$filter", () => {
  test("gives not precedence over and, and and precedence over or", () => {
    expect(parseFilter("a eq 1 or not b eq 2 and (c eq 3 or d eq 4)")).toEqual({
      op: "or",
      terms: [
        { op: "eq", field: "a", value: 1n },
        {
          op: "and",
          terms: [
            { op: "not", term: { op: "eq", field: "b", value: 2n } },
            {
              op: "or",
              terms: [
                { op: "eq", field: "c", value: 3n },
                { op: "eq", field: "d", value: 4n },
              ],
            },
          ],
        },
      ],
    });
  });

  test.each([
    ["a eq 'it''s'", { op: "eq", field: "a", value: "it's" }],
    ["a EQ 9007199254740993", { op: "eq", field: "a", value: 9007199254740993n }],
    ["a ge -1.5e3", { op: "ge", field: "a", value: -1500 }],
    ["a ne true", { op: "ne", field: "a", value: true }],
    ["a eq null", { op: "eq", field: "a", value: null }],
    ["keyValues/k lt 'x'", { op: "lt", field: "keyValues.k", value: "x" }],
    ["name eq 'foo*'", { op: "like", field: "name", pattern: "foo*" }],
    ["name ne 'foo*'", { op: "not", term: { op: "like", field: "name", pattern: "foo*" } }],
    ["name eq 'foo?'", { op: "eq", field: "name", value: "foo?" }],
    ["tags/item any 'a;b'", { op: "any", field: "tags", values: ["a", "b"] }],
    ["a eq com:acme:Thing", { op: "eq", field: "a", value: "com:acme:Thing" }],
    [
      "a eq 'true'",
      {
        op: "or",
        terms: [
          { op: "eq", field: "a", value: "true" },
          { op: "eq", field: "a", value: true },
        ],
      },
    ],
    ["tags/item any ' a; b;'", { op: "any", field: "tags", values: ["a", "b"] }],
    [
      "tags any 'a;b*'",
      {
        op: "or",
        terms: [
          { op: "any", field: "tags", values: ["a"] },
          { op: "like", field: "tags", pattern: "b*" },
        ],
      },
    ],
    ["eq eq 'eq'", { op: "eq", field: "eq", value: "eq" }],
    ["not eq 1", { op: "eq", field: "not", value: 1n }],
  ])("parses %s", (text, filter) => {
    expect(parseFilter(text)).toEqual(filter);
  });

  test.each([
    ["", 1],
    ["a", 2],
    ["a eq", 5],
    ["a eq 'x", 6],
    ["a eq and", 6],
    ["a eq x y", 8],
    ["ALL_FIELDS eq 'x'", 1],
    ["a like 'x'", 3],
    ["a eq 1 b eq 2", 8],
    ["(a eq 1", 8],
    ["a eq 1)", 7],
    ["a lt null", 3],
    ["a..b eq 1", 1],
    ["a eq 1; drop", 7],
    ["a eq 12ab", 6],
  ])("rejects %j at position %d", (text, position) => {
    expect(() => parseFilter(text)).toThrow(
      expect.objectContaining({
        reason: "FILTER_INVALID",
        metadata: { position: String(position) },
      }),
    );
  });

  test("is limited in terms, depth and length", () => {
    const terms = (count: number) => Array<string>(count).fill("a eq 1").join(" or ");
    expect(() => parseFilter(terms(100))).not.toThrow();
    expect(() => parseFilter(terms(101))).toThrow(/limit of 100 terms/);
    expect(() => parseFilter(`${"(".repeat(5000)}a eq 1${")".repeat(5000)}`)).toThrow(
      /nesting limit/,
    );
    expect(() => parseFilter(`${"not ".repeat(3000)}a eq 1`)).toThrow(/nesting limit/);
    expect(() => parseFilter(`a eq '${"x".repeat(20_000)}'`)).toThrow(/exceeds the limit/);
  });
});

test("$orderby accepts fields with and without a direction", () => {
  expect(parseOrderBy("name, counter desc,keyValues/k asc")).toEqual([
    { field: "name", descending: false },
    { field: "counter", descending: true },
    { field: "keyValues.k", descending: false },
  ]);
  expect(() => parseOrderBy("name desc asc")).toThrow(/\$orderby at position 11/);
  expect(() => parseOrderBy("")).toThrow(/\$orderby at position 1/);
});

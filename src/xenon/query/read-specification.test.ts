import { readSpecification } from "./read-specification.js";
import { specificationText } from "./write-specification.js";

const term = { propertyName: "name", matchValue: "x" };
const spec = (more: object = {}) => readSpecification(JSON.stringify({ query: { term }, ...more }));
const range = (members: object) => () =>
  spec({ query: { term: { propertyName: "n", range: { type: "LONG", min: 1, ...members } } } });

describe("a query specification", () => {
  test("is rendered in Xenon's order with its defaults", () => {
    const given = {
      options: ["SORT", "EXPAND_CONTENT", "SORT"],
      sortTerm: { propertyType: "STRING", propertyName: "name" },
      additionalSortTerms: [{ propertyName: "n", propertyType: "LONG", sortOrder: "DESC" }],
      query: {
        booleanClauses: [
          { term: { ...term, matchType: "PREFIX" }, occurance: "SHOULD_OCCUR" },
          { term: { ...term, matchType: null } },
        ],
      },
      somethingElse: 1,
    };
    expect(specificationText(readSpecification(JSON.stringify(given)), true)).toBe(
      '{"query":{"occurance":"MUST_OCCUR","booleanClauses":[' +
        '{"occurance":"SHOULD_OCCUR","term":{"propertyName":"name","matchValue":"x","matchType":"PREFIX"}},' +
        '{"occurance":"MUST_OCCUR","term":{"propertyName":"name","matchValue":"x","matchType":"TERM"}}]},' +
        '"sortTerm":{"propertyName":"name","propertyType":"STRING","sortOrder":"ASC"},' +
        '"additionalSortTerms":[{"propertyName":"n","propertyType":"LONG","sortOrder":"DESC"}],"sortOrder":"ASC",' +
        '"resultLimit":2147483647,"options":["EXPAND_CONTENT","SORT"]}',
    );
    expect(specificationText(spec(), false)).toBe(
      '{"query":{"occurance":"MUST_OCCUR","term":{"propertyName":"name","matchValue":"x"}},"options":[]}',
    );
  });

  test("keeps the text of the bounds of a range", () => {
    const text =
      '{"query":{"term":{"propertyName":"n","range":{"type":"LONG","min":9007199254740993,"max":9223372036854775807,"isMinInclusive":true}}}}';
    expect(specificationText(readSpecification(text), true)).toContain(
      '"range":{"type":"LONG","min":9007199254740993,"max":9223372036854775807,"isMinInclusive":true,"isMaxInclusive":false,"precisionStep":16}',
    );
  });

  test.each([
    ["no query", () => spec({ query: null }), /^querySpec.query is required$/],
    ["an empty query", () => spec({ query: {} }), /^One of term, booleanClauses must be provided$/],
    [
      "an empty clause",
      () => spec({ query: { booleanClauses: [{}] } }),
      /^One of term, booleanClauses/,
    ],
    [
      "a term and clauses",
      () => spec({ query: { term, booleanClauses: [] } }),
      /mutually exclusive/,
    ],
    [
      "a term without a value",
      () => spec({ query: { term: { propertyName: "a" } } }),
      /^One of term.matchValue, term.range is required$/,
    ],
    [
      "a term without a name",
      () => spec({ query: { term: { matchValue: "a" } } }),
      /^term.propertyName is required$/,
    ],
    [
      "a value and a range",
      () => spec({ query: { term: { ...term, range: { type: "LONG", min: 1 } } } }),
      /exclusive of each other/,
    ],
    [
      "a value that is an object",
      () => spec({ query: { term: { ...term, matchValue: {} } } }),
      /matchValue must be a string, found an object/,
    ],
    [
      "an unknown match type",
      () => spec({ query: { term: { ...term, matchType: "LIKE" } } }),
      /matchType must be one of WILDCARD, TERM/,
    ],
    [
      "an unknown occurance",
      () => spec({ query: { term, occurance: "MAYBE" } }),
      /occurance must be one of MUST_OCCUR/,
    ],
    ["a range without a type", range({ type: undefined }), /^type must be specified$/],
    ["a range without bounds", range({ min: null }), /^max and min can not both be null$/],
    ["a bound in quotes", range({ min: "1" }), /range.min must be a number, found "1"/],
    [
      "a range of strings",
      range({ type: "STRING" }),
      /range.type must be one of LONG, DOUBLE, DATE/,
    ],
    [
      "an unknown option",
      () => spec({ options: ["COUNT", "FOO"] }),
      /^Unknown query option "FOO"; supported: COUNT/,
    ],
    ["an option in lower case", () => spec({ options: ["count"] }), /Unknown query option "count"/],
    [
      "an unsupported option of Xenon",
      () => spec({ options: ["GROUP_BY"] }),
      /^Unsupported query option GROUP_BY/,
    ],
    [
      "options that are not a list",
      () => spec({ options: "COUNT" }),
      /options must be an array, found "COUNT"/,
    ],
    [
      "content and a count",
      () => spec({ options: ["COUNT", "EXPAND_CONTENT"] }),
      /^EXPAND_CONTENT is not compatible with COUNT$/,
    ],
    [
      "SORT without a sort term",
      () => spec({ options: ["SORT"] }),
      /^querySpec.sortTerm is required/,
    ],
    [
      "a sort without a type",
      () => spec({ sortTerm: { propertyName: "a" } }),
      /^term.propertyType is required$/,
    ],
    [
      "a snapshot without a time",
      () => spec({ options: ["TIME_SNAPSHOT"] }),
      /^TIME_SNAPSHOT requires/,
    ],
    [
      "a time without TIME_SNAPSHOT",
      () => spec({ timeSnapshotBoundaryMicros: 5 }),
      /requires the option TIME_SNAPSHOT/,
    ],
    [
      "a negative time",
      () => spec({ options: ["TIME_SNAPSHOT"], timeSnapshotBoundaryMicros: -5 }),
      /must not be negative/,
    ],
    [
      "a time that is not a number",
      () => spec({ options: ["TIME_SNAPSHOT"], timeSnapshotBoundaryMicros: "x" }),
      /must be an integer, found "x"/,
    ],
    [
      "a limit of zero",
      () => spec({ resultLimit: 0 }),
      /resultLimit must be between 1 and 2147483647/,
    ],
    ["a limit beyond 32 bits", () => spec({ resultLimit: 2147483648 }), /resultLimit must be/],
    ["an offset", () => spec({ offset: 2 }), /offset is not supported/],
    [
      "too many terms",
      () => spec({ query: { booleanClauses: Array(101).fill({ term }) } }),
      /limit of 100 terms/,
    ],
    ["too deep nesting", () => spec({ query: nested(52) }), /nesting limit of 50 levels/],
  ])("rejects %s", (_what, read, message) => {
    expect(read).toThrow(message);
    expect(read).toThrow(
      expect.objectContaining({
        reason: expect.stringMatching(/^(REQUEST|JSON)_INVALID$/) as string,
      }),
    );
  });

  test("treats 2147483647 as no limit, a string of digits as a number, and null as missing", () => {
    expect(spec({ resultLimit: 2147483647 })).not.toHaveProperty("resultLimit");
    expect(spec({ resultLimit: "2", sortTerm: null, options: null })).toMatchObject({
      resultLimit: 2,
      sort: [],
    });
  });
});

function nested(depth: number): object {
  return depth === 0 ? { term } : { booleanClauses: [nested(depth - 1)] };
}

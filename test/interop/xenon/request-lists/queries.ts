import { ask, type ListedRequest } from "../request.js";

export const querySpecification = (spec: object, more: object = {}) => ({
  taskInfo: { isDirect: true },
  querySpec: spec,
  ...more,
});
const post = (name: string, spec: object, more: Partial<ListedRequest> = {}, task: object = {}) =>
  ask(`query: ${name}`, "POST", "/core/query-tasks", querySpecification(spec, task), more);
const term = (propertyName: string, matchValue: string, matchType = "TERM") => ({
  term: { propertyName, matchType, matchValue },
});
const range = (propertyName: string, bounds: object) => ({ term: { propertyName, range: bounds } });
const clauses = (...all: [occurance: string, query: object][]) => ({
  booleanClauses: all.map(([occurance, query]) => ({ occurance, ...query })),
});
const must = (...all: object[]) =>
  clauses(...all.map((query): [string, object] => ["MUST_OCCUR", query]));
const numbered = term("documentSelfLink", "/core/examples/n-", "PREFIX");
const sorted = (propertyName: string, propertyType: string, sortOrder: string) => ({
  sortTerm: { propertyName, propertyType },
  sortOrder,
});
const long = (bounds: object) => ({ type: "LONG", ...bounds });

/** Direct query tasks: terms, ranges, clauses and options. */
export const queryRequests: readonly ListedRequest[] = [
  post("a term", { query: term("name", "name 3") }),
  post("a term, expanded", { options: ["EXPAND_CONTENT"], query: term("name", "name 3") }),
  post("a term that finds nothing", { query: term("name", "nobody") }),
  post("a term in other case", { query: term("name", "Name 3") }),
  post("a kind", {
    query: term(
      "documentKind",
      "com:vmware:xenon:services:common:ExampleService:ExampleServiceState",
    ),
  }),
  post("a link", { query: term("documentSelfLink", "/core/examples/n-3") }),
  post("a prefix", { query: numbered }),
  post("a wildcard behind", { query: term("name", "name*", "WILDCARD") }),
  post("a wildcard before", { query: term("name", "*3", "WILDCARD") }),
  post("a wildcard of one letter", { query: term("name", "name ?", "WILDCARD") }),
  post("a tag", { query: term("tags.item", "odd") }),
  post("a key value", { query: term("keyValues.third", "1") }),
  post("an action", { query: must(numbered, term("documentUpdateAction", "PATCH")) }),
  post("both", { query: must(term("tags.item", "even"), term("keyValues.third", "0")) }),
  post("either", {
    query: clauses(
      ["SHOULD_OCCUR", term("name", "name 1")],
      ["SHOULD_OCCUR", term("name", "name 2")],
    ),
  }),
  post("one without the other", {
    query: clauses(["MUST_OCCUR", numbered], ["MUST_NOT_OCCUR", term("tags.item", "even")]),
  }),
  post("clauses in clauses", {
    query: must(
      numbered,
      clauses(
        ["SHOULD_OCCUR", term("name", "name 1")],
        ["SHOULD_OCCUR", must(term("tags.item", "even"), term("keyValues.third", "2"))],
      ),
    ),
  }),
  post("a range", {
    query: range("counter", long({ min: 2, max: 5, isMinInclusive: true, isMaxInclusive: true })),
  }),
  post("a range without its ends", {
    query: range("counter", long({ min: 2, max: 5, isMinInclusive: false, isMaxInclusive: false })),
  }),
  post("a range from", {
    query: must(numbered, range("counter", long({ min: 6, isMinInclusive: true }))),
  }),
  post("a range up to", {
    query: must(numbered, range("counter", long({ max: 2, isMaxInclusive: true }))),
  }),
  post("a range of times", {
    query: must(
      numbered,
      range("documentUpdateTimeMicros", long({ max: "#t4", isMaxInclusive: true })),
    ),
  }),
  post("a range of versions", {
    query: must(numbered, range("documentVersion", long({ min: 1, isMinInclusive: true }))),
  }),
  post("a count", { options: ["COUNT"], query: numbered }),
  post("a count without results", { options: ["COUNT"], query: term("name", "nobody") }),
  post("deleted ones", { options: ["INCLUDE_DELETED"], query: numbered }),
  post("deleted ones, expanded", {
    options: ["INCLUDE_DELETED", "EXPAND_CONTENT"],
    query: term("documentSelfLink", "/core/examples/n-9"),
  }),
  post("all versions", {
    options: ["INCLUDE_ALL_VERSIONS"],
    query: term("documentSelfLink", "/core/examples/n-8"),
  }),
  post("all versions, expanded", {
    options: ["INCLUDE_ALL_VERSIONS", "EXPAND_CONTENT"],
    query: term("documentSelfLink", "/core/examples/n-8"),
  }),
  post("all versions with deleted ones", {
    options: ["INCLUDE_ALL_VERSIONS", "INCLUDE_DELETED"],
    query: term("documentSelfLink", "/core/examples/one"),
  }),
  post("all versions, counted", { options: ["INCLUDE_ALL_VERSIONS", "COUNT"], query: numbered }),
  post(
    "sorted by a text",
    { options: ["SORT"], query: numbered, ...sorted("name", "STRING", "ASC") },
    { ordered: true },
  ),
  post(
    "sorted by a text downwards",
    { options: ["SORT"], query: numbered, ...sorted("name", "STRING", "DESC") },
    { ordered: true },
  ),
  post(
    "sorted by a number",
    { options: ["SORT"], query: numbered, ...sorted("sortedCounter", "LONG", "ASC") },
    { ordered: true },
  ),
  post(
    "sorted by the time",
    { options: ["SORT"], query: numbered, ...sorted("documentUpdateTimeMicros", "LONG", "DESC") },
    { ordered: true },
  ),
  post(
    "the first ones",
    {
      options: ["SORT", "TOP_RESULTS"],
      resultLimit: 3,
      query: numbered,
      ...sorted("sortedCounter", "LONG", "ASC"),
    },
    { ordered: true },
  ),
  post("a point in time", {
    options: ["TIME_SNAPSHOT"],
    timeSnapshotBoundaryMicros: "#t4",
    query: numbered,
  }),
  post("options of many hosts", { options: ["BROADCAST", "OWNER_SELECTION"], query: numbered }),
  post(
    "in memory",
    { query: term("name", "m1") },
    {},
    { indexLink: "/core/in-memory-document-index" },
  ),
  post(
    "in memory, expanded",
    { options: ["EXPAND_CONTENT"], query: term("documentSelfLink", "/core/in-memory-examples/m1") },
    {},
    { indexLink: "/core/in-memory-document-index" },
  ),
  post("several clauses on times and tags", {
    options: ["EXPAND_CONTENT"],
    query: must(
      numbered,
      term("tags.item", "odd"),
      range("counter", long({ min: 4, isMinInclusive: true })),
    ),
  }),
];

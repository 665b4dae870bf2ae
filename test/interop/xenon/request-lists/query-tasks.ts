import { ask, type ListedRequest } from "../request.js";
import { querySpecification } from "./queries.js";

const tasks = "/core/query-tasks";
const numbered = {
  term: { propertyName: "documentSelfLink", matchType: "PREFIX", matchValue: "/core/examples/n-" },
};
const direct = (name: string, spec: unknown, more: Partial<ListedRequest> = {}) =>
  ask(name, "POST", tasks, querySpecification(spec as object), more);
const finished = (body: Record<string, unknown>) =>
  ["FINISHED", "CANCELLED", "FAILED"].includes(
    (body["taskInfo"] as { stage?: string } | undefined)?.stage ?? "",
  );
const bySelfLink = {
  sortTerm: { propertyName: "documentSelfLink", propertyType: "STRING" },
  sortOrder: "ASC",
};

/** Query tasks that are polled and read by page, and rejected ones. */
export const queryTaskRequests: readonly ListedRequest[] = [
  ask(
    "a polled task",
    "POST",
    tasks,
    { querySpec: { query: numbered } },
    { take: { task: "documentSelfLink" } },
  ),
  ask("a polled task, finished", "GET", "{task}", undefined, { until: finished }),
  ask("cancel of a finished task", "PATCH", "{task}", { taskInfo: { stage: "CANCELLED" } }),
  ask("a finished task after its cancellation", "GET", "{task}"),
  ask("post of a key with dots", "POST", "/core/examples", {
    documentSelfLink: "dotted",
    name: "dotted",
    keyValues: { "a.b": "dot", a: "plain" },
  }),
  direct("query: a key with dots", {
    query: { term: { propertyName: "keyValues.a.b", matchType: "TERM", matchValue: "dot" } },
  }),
  ask("a filter on a key with dots", "GET", "/core/examples?$filter=keyValues.a.b%20eq%20'dot'"),
  ask("a selection of fields", "GET", "/core/examples?$select=name&$filter=name%20eq%20'dotted'"),
  ask("delete of a key with dots", "DELETE", "/core/examples/dotted"),
  ask("delete of a task", "DELETE", "{task}"),
  ask("get of a deleted task", "GET", "{task}"),
  ask("get of an unknown task", "GET", `${tasks}/nobody`),
  direct(
    "a query by pages",
    { options: ["SORT", "EXPAND_CONTENT"], resultLimit: 4, query: numbered, ...bySelfLink },
    { ordered: true, take: { q1: "results.nextPageLink" } },
  ),
  ask("the first page of a query", "GET", "{q1}", undefined, {
    ordered: true,
    take: { q2: "results.nextPageLink" },
  }),
  ask("the second page of a query", "GET", "{q2}", undefined, {
    ordered: true,
    take: { q3: "results.nextPageLink" },
  }),
  ask("the last page of a query", "GET", "{q3}", undefined, { ordered: true }),
  direct("a query by pages that finds nothing", {
    resultLimit: 4,
    query: { term: { propertyName: "name", matchType: "TERM", matchValue: "nobody" } },
  }),
  ask("a task without a body", "POST", tasks),
  ask("a task of bad JSON", "POST", tasks, "{nope"),
  ask("a task without a specification", "POST", tasks, { taskInfo: { isDirect: true } }),
  direct("a task without a query", {}),
  direct("an unknown match type", {
    query: { term: { propertyName: "name", matchType: "SOUNDS_LIKE", matchValue: "x" } },
  }),
  direct("an unknown option", { options: ["FLY"], query: numbered }),
  direct("a sort without a term", { options: ["SORT"], query: numbered }),
  direct("a term without a property", { query: { term: { matchType: "TERM", matchValue: "x" } } }),
  direct("a term without a value", {
    query: { term: { propertyName: "name", matchType: "TERM" } },
  }),
  direct("a negative limit", { resultLimit: -1, query: numbered }),
  direct("clauses beside a term", {
    query: { ...numbered, booleanClauses: [{ occurance: "MUST_OCCUR", ...numbered }] },
  }),
  ask("a query of an unknown index", "POST", tasks, {
    ...querySpecification({ query: numbered }),
    indexLink: "/core/no-such-index",
  }),
];

import { scanItems, type Members } from "../../document/members.js";
import { HostError } from "../../errors.js";
import { integerOf, memberText, objectOf, stringOf, wordOf, wrongType } from "./json-fields.js";
import { checkName, readQuery } from "./read-query.js";
import {
  noLimit,
  sortOrders,
  sortTypes,
  supportedOptions,
  type QueryOption,
  type QuerySpecification,
  type SortTerm,
} from "./specification.js";

/** Reads `querySpec`. Throws REQUEST_INVALID for what is missing, unknown or not done here, JSON_INVALID for a wrong type. */
export function readSpecification(raw: string): QuerySpecification {
  const path = "querySpec";
  const members = objectOf(raw, path);
  if (members.get("query") === "null") throw invalid("querySpec.query is required");
  const query = readQuery(members.get("query") ?? "{}", `${path}.query`);
  const options = readOptions(members);
  const sort = readSort(members, options.has("SORT"));
  const snapshot = readSnapshot(members, options.has("TIME_SNAPSHOT"));
  const resultLimit = readResultLimit(members);
  if (options.has("EXPAND_CONTENT") && options.has("COUNT"))
    throw invalid("EXPAND_CONTENT is not compatible with COUNT");
  if (options.has("TOP_RESULTS") && resultLimit === undefined && sort.length > 0) {
    throw invalid("resultLimit should be a positive integer less than MAX_VALUE");
  }
  for (const name of ["offset", "expectedResultCount"]) {
    if ((integerOf(members, name, path) ?? 0n) !== 0n)
      throw invalid(`querySpec.${name} is not supported here; use resultLimit and nextPageLink.`);
  }
  return {
    query,
    sort,
    options,
    ...(resultLimit !== undefined && { resultLimit }),
    ...(snapshot !== undefined && { timeSnapshotBoundaryMicros: snapshot }),
  };
}

/** Xenon's other options. They would change what is found or how it is told, so none is passed over. */
const unsupportedOptions = [
  "CONTINUOUS",
  "CONTINUOUS_STOP_MATCH",
  "EXPAND_SELECTED_FIELDS",
  "EXPAND_BINARY_CONTENT",
  "EXPAND_BUILTIN_CONTENT_ONLY",
  "EXPAND_LINKS",
  "TASK",
  "SELECT_LINKS",
  "GROUP_BY",
];

function readOptions(members: Members): ReadonlySet<QueryOption> {
  const raw = memberText(members, "options") ?? "[]";
  if (!raw.startsWith("[")) throw wrongType("querySpec.options", "an array", raw);
  const given = new Set<QueryOption>();
  for (const item of scanItems(raw)) {
    if (!item.startsWith('"')) throw wrongType("querySpec.options[]", "a string", item);
    const name = JSON.parse(item) as string;
    const option = supportedOptions.find((one) => one === name);
    if (option === undefined) {
      const known = unsupportedOptions.includes(name);
      throw invalid(
        `${known ? `The query option ${name} is not supported by this host` : `There is no query option ${JSON.stringify(name.slice(0, 100))}`}; it takes ${supportedOptions.join(", ")}.`,
      );
    }
    given.add(option);
  }
  // In one order, whatever order they came in: that is how they are answered.
  return new Set(supportedOptions.filter((option) => given.has(option)));
}

function readSort(members: Members, wanted: boolean): SortTerm[] {
  const first = memberText(members, "sortTerm");
  const more = memberText(members, "additionalSortTerms") ?? "[]";
  if (!more.startsWith("[")) throw wrongType("querySpec.additionalSortTerms", "an array", more);
  if (first === undefined) {
    if (wanted) throw invalid("querySpec.sortTerm is required with SORT");
    return [];
  }
  const order = wordOf(members, "sortOrder", "querySpec", sortOrders) ?? "ASC";
  const additional = scanItems(more);
  if (additional.length > 7) throw invalid("querySpec sorts by more than 8 fields.");
  return [
    { ...readSortTerm(first, "querySpec.sortTerm"), sortOrder: order },
    ...additional.map((item, i) => readSortTerm(item, `querySpec.additionalSortTerms[${i}]`)),
  ];
}

function readSortTerm(raw: string, path: string): SortTerm {
  const members = objectOf(raw, path);
  const propertyType = wordOf(members, "propertyType", path, sortTypes);
  const propertyName = stringOf(members, "propertyName", path);
  if (propertyType === undefined) throw invalid("term.propertyType is required");
  if (propertyName === undefined || propertyName === "")
    throw invalid("term.propertyName is required");
  checkName(propertyName);
  return {
    propertyName,
    propertyType,
    sortOrder: wordOf(members, "sortOrder", path, sortOrders) ?? "ASC",
  };
}

function readSnapshot(members: Members, wanted: boolean): string | undefined {
  const micros = integerOf(members, "timeSnapshotBoundaryMicros", "querySpec");
  if (micros === undefined) {
    if (wanted)
      throw invalid(
        "TIME_SNAPSHOT needs querySpec.timeSnapshotBoundaryMicros, the moment that is asked for.",
      );
    return undefined;
  }
  if (!wanted)
    throw invalid(
      "querySpec.timeSnapshotBoundaryMicros needs the option TIME_SNAPSHOT; give both or neither.",
    );
  if (micros < 0n) throw invalid("querySpec.timeSnapshotBoundaryMicros must not be negative.");
  return micros.toString();
}

function readResultLimit(members: Members): number | undefined {
  const limit = integerOf(members, "resultLimit", "querySpec");
  if (limit === undefined || limit === BigInt(noLimit)) return undefined;
  if (limit < 1n || limit > BigInt(noLimit))
    throw invalid(`querySpec.resultLimit must be a whole number from 1 to ${noLimit}.`);
  return Number(limit);
}

function invalid(message: string): HostError {
  return new HostError("REQUEST_INVALID", message);
}

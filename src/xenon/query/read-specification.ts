import { scanItems, type Members } from "../../document/members.js";
import { HostError } from "../../errors.js";
import { integerOf, memberText, objectOf, stringOf, wordOf } from "./json-fields.js";
import { wrongType } from "../../document/wrong-type.js";
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

/**
 * Parses `querySpec`. Throws REQUEST_INVALID for missing, unknown or unsupported fields, and
 * JSON_INVALID for a wrong type.
 */
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
      throw invalid(`querySpec.${name} is not supported; use resultLimit and nextPageLink.`);
  }
  return {
    query,
    sort,
    options,
    ...(resultLimit !== undefined && { resultLimit }),
    ...(snapshot !== undefined && { timeSnapshotBoundaryMicros: snapshot }),
  };
}

/** Xenon's unsupported options. They affect the results, so they must not be ignored. */
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
        `${known ? `Unsupported query option ${name}` : `Unknown query option ${JSON.stringify(name.slice(0, 100))}`}; supported: ${supportedOptions.join(", ")}.`,
      );
    }
    given.add(option);
  }
  // Responses contain the options in this order, regardless of that in the request.
  return new Set(supportedOptions.filter((option) => given.has(option)));
}

function readSort(members: Members, required: boolean): SortTerm[] {
  const first = memberText(members, "sortTerm");
  const more = memberText(members, "additionalSortTerms") ?? "[]";
  if (!more.startsWith("[")) throw wrongType("querySpec.additionalSortTerms", "an array", more);
  if (first === undefined) {
    if (required) throw invalid("querySpec.sortTerm is required with SORT");
    return [];
  }
  const order = wordOf(members, "sortOrder", "querySpec", sortOrders) ?? "ASC";
  const additional = scanItems(more);
  if (additional.length > 7) throw invalid("querySpec exceeds the limit of 8 sort fields.");
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

function readSnapshot(members: Members, required: boolean): string | undefined {
  const micros = integerOf(members, "timeSnapshotBoundaryMicros", "querySpec");
  if (micros === undefined) {
    if (required)
      throw invalid(
        "TIME_SNAPSHOT requires querySpec.timeSnapshotBoundaryMicros, the point in time to query.",
      );
    return undefined;
  }
  if (!required)
    throw invalid(
      "querySpec.timeSnapshotBoundaryMicros requires the option TIME_SNAPSHOT; give both or neither.",
    );
  if (micros < 0n) throw invalid("querySpec.timeSnapshotBoundaryMicros must not be negative.");
  return micros.toString();
}

function readResultLimit(members: Members): number | undefined {
  const limit = integerOf(members, "resultLimit", "querySpec");
  if (limit === undefined || limit === BigInt(noLimit)) return undefined;
  if (limit < 1n || limit > BigInt(noLimit))
    throw invalid(`querySpec.resultLimit must be between 1 and ${noLimit}.`);
  return Number(limit);
}

function invalid(message: string): HostError {
  return new HostError("REQUEST_INVALID", message);
}

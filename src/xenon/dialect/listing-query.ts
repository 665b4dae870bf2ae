import { HostError } from "../../errors.js";
import { readMoment } from "./past.js";

/** What GET of a factory asks for. */
export interface ListingQuery {
  filter: string | undefined;
  orderBy: string | undefined;
  /** The size of a page; without, there is only one. */
  limit: number | undefined;
  /** How many documents at most, over all pages. */
  top: number | undefined;
  expand: boolean;
  countOnly: boolean;
  /** Whether totalCount is answered: with any OData option, but not on a following page. */
  total: boolean;
  pageToken: string | undefined;
  /** The moment of the past that is listed; a page token carries its own. */
  atMicros: number | undefined;
}

/** Throws REQUEST_INVALID and PAGE_TOKEN_INVALID. */
export function readListingQuery(parameters: Map<string, string>): ListingQuery {
  const path = parameters.get("path");
  if (path !== undefined) return decodeNextPage(path);
  if (parameters.has("$skip")) {
    throw new HostError(
      "REQUEST_INVALID",
      "$skip is not supported; follow nextPageLink of a listing with $limit.",
    );
  }
  if (parameters.has("$select"))
    throw new HostError(
      "REQUEST_INVALID",
      "$select is not supported: documents are answered whole, with expand.",
    );
  const total = ["$filter", "$orderby", "$limit", "$top", "$count"].some((name) =>
    parameters.has(name),
  );
  return {
    filter: textOf(parameters, "$filter"),
    orderBy: textOf(parameters, "$orderby"),
    limit: numberOf(parameters, "$limit"),
    top: numberOf(parameters, "$top"),
    expand: isOn(parameters, "expand") || isOn(parameters, "$expand"),
    countOnly: parameters.get("$count") === "true",
    total,
    pageToken: undefined,
    atMicros: readMoment(parameters),
  };
}

/** What a nextPageLink carries: the listing goes on as it was asked for, whatever else the link says. */
export function encodeNextPage(
  pageToken: string,
  query: ListingQuery,
  remaining: number | undefined,
): string {
  const state = [
    pageToken,
    query.expand,
    query.limit ?? null,
    remaining ?? null,
    query.filter ?? null,
    query.orderBy ?? null,
  ];
  return Buffer.from(JSON.stringify(state)).toString("base64url");
}

function decodeNextPage(path: string): ListingQuery {
  let state: unknown;
  try {
    state = JSON.parse(Buffer.from(path, "base64url").toString());
  } catch {
    state = undefined;
  }
  if (!Array.isArray(state) || state.length !== 6) throw notOurs();
  const [pageToken, expand, limit, top, filter, orderBy] = state as unknown[];
  if (typeof pageToken !== "string" || typeof expand !== "boolean") throw notOurs();
  return {
    pageToken,
    expand,
    limit: optional(limit, "number"),
    top: optional(top, "number"),
    filter: optional(filter, "string"),
    orderBy: optional(orderBy, "string"),
    countOnly: false,
    total: false,
    atMicros: undefined,
  };
}

function optional(value: unknown, type: "number"): number | undefined;
function optional(value: unknown, type: "string"): string | undefined;
function optional(value: unknown, type: "number" | "string"): number | string | undefined {
  if (value === null) return undefined;
  if (
    typeof value !== type ||
    (typeof value === "number" && !(Number.isSafeInteger(value) && value > 0))
  )
    throw notOurs();
  return value as number | string;
}

function notOurs(): HostError {
  return new HostError(
    "PAGE_TOKEN_INVALID",
    "This page link was not made by this host; start the listing again.",
  );
}

function textOf(parameters: Map<string, string>, name: string): string | undefined {
  const value = parameters.get(name);
  return value === "" ? undefined : value;
}

function numberOf(parameters: Map<string, string>, name: string): number | undefined {
  const value = parameters.get(name);
  if (value === undefined) return undefined;
  if (!/^[1-9]\d{0,9}$/.test(value))
    throw new HostError("REQUEST_INVALID", `${name} must be a whole number of at least 1.`);
  return Number(value);
}

/** `?expand`, `?$expand=*` and any other value but false. */
function isOn(parameters: Map<string, string>, name: string): boolean {
  const value = parameters.get(name);
  return value !== undefined && value !== "false";
}

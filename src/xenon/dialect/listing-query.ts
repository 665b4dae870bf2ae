import { HostError } from "../../errors.js";
import { decodeToken, encodeToken } from "../../io/opaque-token.js";
import { readPointInTime } from "./past.js";

/** Parsed query of GET on a factory. */
export interface ListingQuery {
  filter: string | undefined;
  orderBy: string | undefined;
  /** Page size; if undefined, the response has a single page. */
  limit: number | undefined;
  /** Maximum number of documents over all pages. */
  top: number | undefined;
  expand: boolean;
  countOnly: boolean;
  /** Whether to include totalCount: with any OData option, except on following pages. */
  total: boolean;
  pageToken: string | undefined;
  /** Point in time to list; page tokens contain their own. */
  atMicros: number | undefined;
}

/** Parses the query. Throws REQUEST_INVALID and PAGE_TOKEN_INVALID. */
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
      "$select is not supported; use expand to get complete documents.",
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
    atMicros: readPointInTime(parameters),
  };
}

/**
 * Encodes the state of a listing for nextPageLink. It overrides all other parameters of the link.
 */
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
  return encodeToken(state);
}

function decodeNextPage(path: string): ListingQuery {
  const state = decodeToken(path);
  if (state?.length !== 6) throw invalidPageLink();
  const [pageToken, expand, limit, top, filter, orderBy] = state;
  if (typeof pageToken !== "string" || typeof expand !== "boolean") throw invalidPageLink();
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
    throw invalidPageLink();
  return value as number | string;
}

function invalidPageLink(): HostError {
  return new HostError(
    "PAGE_TOKEN_INVALID",
    "Invalid page link: it was not created by this host. Restart the listing.",
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
    throw new HostError("REQUEST_INVALID", `${name} must be a positive integer.`);
  return Number(value);
}

/** Whether a parameter such as `?expand` or `?$expand=*` is set to anything but false. */
function isOn(parameters: Map<string, string>, name: string): boolean {
  const value = parameters.get(name);
  return value !== undefined && value !== "false";
}

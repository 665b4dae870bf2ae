import { HostError } from "../../errors.js";

/** A byte range, inclusive at both ends. */
export interface ByteRange {
  first: number;
  last: number;
}

/**
 * Parses a Range header. Returns undefined if the whole representation must be sent: without a
 * header and, as RFC 9110 requires, for other units, several ranges and malformed headers. Throws
 * RANGE_NOT_SATISFIABLE for a range that begins after the end.
 */
export function rangeOf(header: string | undefined, sizeBytes: number): ByteRange | undefined {
  const match = /^bytes=\s*(\d{0,200})-(\d{0,200})\s*$/i.exec(header ?? "");
  const [, from = "", to = ""] = match ?? [];
  if (from === "" && to === "") return undefined;
  const suffix = from === "";
  const first = suffix ? Math.max(0, sizeBytes - Number(to)) : Number(from);
  const last = suffix || to === "" ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
  if (!suffix && to !== "" && Number(to) < first) return undefined;
  if (first > last) {
    throw new HostError(
      "RANGE_NOT_SATISFIABLE",
      `Range ${header} is outside the ${sizeBytes} bytes of the content.`,
      { metadata: { sizeBytes: String(sizeBytes) } },
    );
  }
  return { first, last };
}

/**
 * A Content-Range of a request: either a part, whose total may be unknown, or a query for the
 * upload status.
 */
export type SentRange = { first: number; last: number; total?: number } | { total?: number };

/**
 * Parses the Content-Range header of a request. Returns undefined without a header: the body is
 * then complete. Throws REQUEST_INVALID for a malformed header.
 */
export function sentRangeOf(header: string | undefined): SentRange | undefined {
  if (header === undefined) return undefined;
  const match = /^bytes (?:(\d{1,15})-(\d{1,15})|\*)\/(?:(\d{1,15})|\*)$/i.exec(header.trim());
  const [, first, last, size] = match ?? [];
  const total = size === undefined ? undefined : Number(size);
  const known = total === undefined ? {} : { total };
  if (match && first === undefined) return known;
  if (
    match &&
    first !== undefined &&
    last !== undefined &&
    Number(first) <= Number(last) &&
    (total === undefined || Number(last) < total)
  ) {
    return { first: Number(first), last: Number(last), ...known };
  }
  throw new HostError(
    "REQUEST_INVALID",
    `Invalid Content-Range ${JSON.stringify(header.slice(0, 100))}: must be "bytes FIRST-LAST/TOTAL", with LAST inclusive.`,
    {
      metadata: { field: "content-range" },
    },
  );
}

import { HostError } from "../../errors.js";

/** A byte range with its end counted in. */
export interface ByteRange {
  first: number;
  last: number;
}

/**
 * The one range of a Range header that can be answered; undefined: answer the whole. As RFC 9110 has it, a header of
 * another unit, of several ranges or that is not understood is as if it were not there. RANGE_NOT_SATISFIABLE for one
 * that begins behind the end.
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
      `There are ${sizeBytes} bytes; the range ${header} is not in it.`,
      { metadata: { sizeBytes: String(sizeBytes) } },
    );
  }
  return { first, last };
}

/** A Content-Range of a request: a piece, of a whole whose size may not be known yet; or a question how far it is. */
export type SentRange = { first: number; last: number; total?: number } | { total?: number };

/** REQUEST_INVALID for a header that is none. Undefined where there is none: the body is the whole. */
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
    `Content-Range ${JSON.stringify(header.slice(0, 100))} is none; write bytes FIRST-LAST/TOTAL, the last byte counted in.`,
    {
      metadata: { field: "content-range" },
    },
  );
}

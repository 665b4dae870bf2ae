import { HostError } from "../../errors.js";
import { fromStatus, type EndName } from "./failure.js";
import type { Answer } from "./client.js";
import { parseContentRange, type ByteRange } from "./ranges.js";

/** What every answer for one file has to agree with. */
export interface FileFacts {
  total: number;
  etag?: string;
  lastModified?: string;
}

export type Answered =
  /** Bytes from the place asked for on. `last` is what the answer says of its end, which is not always so. */
  | { kind: "range"; facts: FileFacts; last: number }
  /** The whole file, whatever range was asked for; `length` only where it was told. */
  | { kind: "whole"; length?: number }
  /** Bytes whose position in the file is unknown. */
  | { kind: "unplaced" }
  /** No such bytes: the range lies after the end, or the server counts otherwise. */
  | { kind: "none" };

/** Reads the head of an answer to a GET. Throws what is no success, and what is encoded. */
export function readAnswer(
  { status, header }: Answer,
  asked: ByteRange | undefined,
  end: EndName,
): Answered {
  if (status === 416) return { kind: "none" };
  if (status !== 200 && status !== 206) throw fromStatus(status, header("retry-after"), "GET", end);
  const encoding = header("content-encoding")?.toLowerCase() ?? "identity";
  if (encoding !== "identity" && encoding !== "") {
    throw new HostError(
      "DESTINATION_REFUSED",
      `${end} answered with the content encoding ${JSON.stringify(encoding.slice(0, 40))}, which was not asked for.`,
    );
  }
  const range = asked === undefined ? undefined : parseContentRange(header("content-range"));
  if (range === undefined || asked === undefined) {
    if (status === 206) return { kind: "unplaced" };
    const length = header("content-length");
    return { kind: "whole", ...(length !== undefined && { length: Number(length) }) };
  }
  if (range.first !== asked.first) {
    throw new HostError(
      "DESTINATION_REFUSED",
      `${end} answered with the bytes from ${range.first} on, where those from ${asked.first} on were asked for.`,
    );
  }
  const etag = header("etag");
  const lastModified = header("last-modified");
  return {
    kind: "range",
    facts: {
      total: range.total,
      ...(etag !== undefined && { etag }),
      ...(lastModified !== undefined && { lastModified }),
    },
    last: range.last,
  };
}

export const changed = (end: EndName, how: string) =>
  new HostError(
    "SOURCE_CHANGED",
    `${end} changed while it was fetched: ${how}. What came before and after was not mixed; try again when nobody writes to it.`,
  );

/** SOURCE_CHANGED unless both are of the same file. A header that is missing says nothing. */
export function checkSame(before: FileFacts, now: FileFacts, end: EndName): void {
  if (before.total !== now.total)
    throw changed(end, `it had ${before.total} bytes and now has ${now.total}`);
  for (const [what, a, b] of [
    ["ETag", before.etag, now.etag],
    ["Last-Modified", before.lastModified, now.lastModified],
  ] as const) {
    if (a !== undefined && b !== undefined && a !== b)
      throw changed(end, `its ${what} is another one`);
  }
}

/** A tag that promises the very same bytes. */
export const strongTag = ({ etag }: FileFacts) => (etag?.startsWith('"') ? etag : undefined);

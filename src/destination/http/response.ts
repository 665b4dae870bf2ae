import { HostError } from "../../errors.js";
import { fromStatus, type ServerName } from "../network/failure.js";
import type { HttpResponse } from "./client.js";
import { parseContentRange, type ByteRange } from "../network/ranges.js";

/** Properties of a file that must be equal in all responses of a download. */
export interface FileFacts {
  total: number;
  etag?: string;
  lastModified?: string;
}

/** The kind of a response to a GET. */
export type ResponseKind =
  /**
   * Bytes from the requested offset. `last` is the end according to the response, which may be
   * wrong.
   */
  | { kind: "range"; facts: FileFacts; last: number }
  /** The whole file, regardless of the requested range. `length` is absent if unknown. */
  | { kind: "whole"; length?: number }
  /** Bytes at an unknown offset. */
  | { kind: "unknown range" }
  /**
   * No bytes: the range is after the end of the file, or the server excludes the end of a range.
   */
  | { kind: "none" };

/**
 * Interprets the status and headers of a response to a GET. Throws DESTINATION_REFUSED or
 * DESTINATION_UNREACHABLE for an error status, a content encoding or a wrong offset.
 */
export function readResponse(
  { status, header }: HttpResponse,
  requested: ByteRange | undefined,
  server: ServerName,
): ResponseKind {
  if (status === 416) return { kind: "none" };
  if (status !== 200 && status !== 206)
    throw fromStatus(status, header("retry-after"), "GET", server);
  const encoding = header("content-encoding")?.toLowerCase() ?? "identity";
  if (encoding !== "identity" && encoding !== "") {
    throw new HostError(
      "DESTINATION_REFUSED",
      `${server} responded with the content encoding ${JSON.stringify(encoding.slice(0, 40))}, which was not requested.`,
    );
  }
  const range = requested === undefined ? undefined : parseContentRange(header("content-range"));
  if (range === undefined || requested === undefined) {
    if (status === 206) return { kind: "unknown range" };
    const length = header("content-length");
    return { kind: "whole", ...(length !== undefined && { length: Number(length) }) };
  }
  if (range.first !== requested.first) {
    throw new HostError(
      "DESTINATION_REFUSED",
      `${server} responded with bytes from offset ${range.first}; requested was offset ${requested.first}.`,
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

/** Returns the error for a file that changes during a download. */
export const changed = (server: ServerName, how: string) =>
  new HostError(
    "SOURCE_CHANGED",
    `${server} changed during the download: ${how}. Old and new contents were not mixed. Try again when no other program writes to it.`,
  );

/** Throws SOURCE_CHANGED unless two responses are of the same contents. Ignores missing headers. */
export function checkSame(before: FileFacts, now: FileFacts, server: ServerName): void {
  if (before.total !== now.total)
    throw changed(server, `its size was ${before.total} bytes and is now ${now.total} bytes`);
  for (const [what, a, b] of [
    ["ETag", before.etag, now.etag],
    ["Last-Modified", before.lastModified, now.lastModified],
  ] as const) {
    if (a !== undefined && b !== undefined && a !== b)
      throw changed(server, `its ${what} is different`);
  }
}

/** Returns the ETag if it is a strong one, which guarantees equal bytes. */
export const strongTag = ({ etag }: FileFacts) => (etag?.startsWith('"') ? etag : undefined);

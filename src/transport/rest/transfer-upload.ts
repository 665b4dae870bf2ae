import type { IncomingMessage } from "node:http";
import { HostError } from "../../errors.js";
import { withUpload, type StreamService } from "../../service/backups/streams.js";
import type { Transfer } from "../../destination/transfer/transfer.js";
import { bodyChunks } from "../http/body.js";
import { checkEncoding } from "./body.js";
import { sentRangeOf } from "../http/content-range.js";

/**
 * Handles PUT of /v1/transfers/NAME: an archive, whole or in consecutive parts with Content-Range.
 * Resolves to the transfer after the request. Throws ABORTED (409) for a part beyond the received
 * bytes; a part already received is compared.
 */
export async function receiveTransfer(
  streams: StreamService,
  name: string,
  request: IncomingMessage,
  signal: AbortSignal,
): Promise<Transfer> {
  checkEncoding(request.headers);
  const range = sentRangeOf(request.headers["content-range"]);
  const total = range?.total ?? (range === undefined ? lengthOf(request) : undefined);
  if (range !== undefined && !("first" in range)) {
    // A status query, as some clients send after an interruption, or the end of an upload of
    // previously unknown size.
    const { committedBytes, complete } = streams.transfers.get(name);
    if (!complete && range.total !== undefined && range.total === committedBytes) {
      await withUpload(streams.transfers, name, range.total, signal, (writer) =>
        writer.finish({ sizeBytes: committedBytes, ...digestOf(request, false) }),
      );
    }
    return streams.transfers.get(name);
  }
  const first = range?.first ?? 0;
  const expected = range === undefined ? lengthOf(request) : range.last - range.first + 1;
  await withUpload(streams.transfers, name, total, signal, async (writer, working) => {
    let received = 0;
    for await (const bytes of bodyChunks(request, streams.idleMs, working)) {
      if (expected !== undefined && received + bytes.length > expected)
        throw mismatch(expected, "more");
      await writer.write(first + received, bytes);
      received += bytes.length;
    }
    if (expected !== undefined && received < expected) throw mismatch(expected, `${received}`);
    const isLast =
      range === undefined || (range.total !== undefined && first + received === range.total);
    if (isLast && writer.position === first + received)
      await writer.finish({
        sizeBytes: first + received,
        ...digestOf(request, range === undefined),
      });
  });
  return streams.transfers.get(name);
}

const mismatch = (expected: number, found: string) =>
  new HostError(
    "REQUEST_INVALID",
    `The body has ${found} bytes, but its headers declare ${expected}.`,
    { metadata: { field: "content-range" } },
  );

function lengthOf({ headers }: IncomingMessage): number | undefined {
  return headers["content-length"] === undefined ? undefined : Number(headers["content-length"]);
}

/**
 * Returns the SHA-256 of the archive from Repr-Digest or, if the body is the whole archive,
 * Content-Digest.
 */
function digestOf({ headers }: IncomingMessage, whole: boolean): { sha256?: string } {
  const header = headers["repr-digest"] ?? (whole ? headers["content-digest"] : undefined);
  const base64 =
    typeof header === "string"
      ? /(?:^|,\s*)sha-256=:([A-Za-z0-9+/=]+):/i.exec(header)?.[1]
      : undefined;
  return base64 === undefined ? {} : { sha256: Buffer.from(base64, "base64").toString("hex") };
}

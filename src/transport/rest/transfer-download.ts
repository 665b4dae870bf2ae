import type { IncomingMessage, ServerResponse } from "node:http";
import type { StreamService } from "../../service/backups/streams.js";
import { limits } from "../../limits.js";
import { sendRepresentation } from "../http/send-representation.js";

/**
 * Serves GET and HEAD of /v1/transfers/NAME:download: the archive or a range of it, so that
 * downloads can be resumed.
 */
export async function sendTransfer(
  streams: StreamService,
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const held = streams.hold(name);
  try {
    const { sha256, sizeBytes, createTimeMicros } = held.transfer;
    await sendRepresentation(request, response, {
      name: `Transfer ${name}`,
      sizeBytes,
      etag: `"${sha256}"`,
      lastModifiedMs: Math.floor(createTimeMicros / 1000),
      headers: {
        "content-disposition": `attachment; filename="${name}.zip"`,
        "content-type": "application/zip",
        "repr-digest": `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:`,
      },
      bytes: (offset, end) =>
        streams.read(held, { offset, length: end - offset, chunkBytes: limits.chunkBytes }, signal),
      idleMs: streams.idleMs,
    });
  } finally {
    held.release();
  }
}

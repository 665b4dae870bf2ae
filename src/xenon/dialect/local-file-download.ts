import type { IncomingMessage, ServerResponse } from "node:http";
import type { FileStore } from "../local-files/file-store.js";
import { sendRepresentation } from "../../transport/http/send-representation.js";

/** A GET request with a Range for a local file. */
export interface FileRequest {
  fileStore: FileStore;
  link: string;
  request: IncomingMessage;
  response: ServerResponse;
  idleMs: number;
  signal: AbortSignal;
}

/**
 * Responds to a request with a Range as specified by RFC 9110: 206 with the range, or 200 with the
 * whole file if the header has several ranges or another unit, or If-Range names another version.
 */
export async function sendFile({
  fileStore,
  link,
  request,
  response,
  idleMs,
  signal,
}: FileRequest): Promise<void> {
  const { status, bytes, close } = await fileStore.read(link);
  try {
    await sendRepresentation(request, response, {
      name: `File of ${link}`,
      sizeBytes: status.sizeBytes,
      etag: `"${status.version}"`,
      lastModifiedMs: status.modifiedMs,
      headers: { "content-type": "application/octet-stream" },
      bytes: (offset, end) => bytes(offset, end, signal),
      idleMs,
    });
  } finally {
    await close();
  }
}

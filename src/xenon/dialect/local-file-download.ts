import type { IncomingMessage, ServerResponse } from "node:http";
import type { FileStore } from "../local-files/file-service.js";
import { sendRepresentation } from "../../transport/http/send-representation.js";

export interface FileRequest {
  fileStore: FileStore;
  link: string;
  request: IncomingMessage;
  response: ServerResponse;
  idleMs: number;
  signal: AbortSignal;
}

/**
 * Answers a request with a Range as RFC 9110 has it: 206 and the range, or 200 and the whole file where the header is
 * of several ranges, of another unit, or of another version than If-Range names.
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
      name: `The file of ${link}`,
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

import type { OpenFile } from "../../io/file-system.js";
import { eachConcurrently } from "../../io/each-concurrently.js";
import type { Platform } from "../../io/platform.js";
import type { ObjectBody } from "../destination.js";
import { limits } from "../../limits.js";
import { fromStatus } from "../network/failure.js";
import type { HttpFileClient } from "./client.js";
import { retry } from "../retry.js";
import { rangesOf, type ByteRange } from "../network/ranges.js";

/** Contents to send. */
export interface Upload {
  body: ObjectBody;
  sizeBytes: number;
  /** In lower-case hexadecimal. */
  sha256: string;
}

/**
 * Sends contents by PUT in concurrent ranges, each of which is retried separately. `onBytes` receives
 * the size of each range that has arrived.
 */
export async function upload(
  platform: Platform,
  client: HttpFileClient,
  { body, sizeBytes, sha256 }: Upload,
  signal: AbortSignal,
  onBytes: (count: number) => void,
): Promise<void> {
  const file = "path" in body ? await platform.files.openToRead(body.path) : fileOf(body.bytes);
  try {
    await eachConcurrently(
      rangesOf(0, sizeBytes),
      limits.httpRequests,
      signal,
      async (range, either) => {
        await retry(platform, either, (attempt) => put(range, attempt));

        async function put(
          { first, last }: ByteRange,
          {
            number,
            idleTimeoutMs,
            progress,
          }: { number: number; idleTimeoutMs: number; progress(): void },
        ): Promise<void> {
          const headers = {
            // Not for a whole file, because servers without partial PUT must reject a Content-Range
            // (RFC 9110, 14.5).
            ...(last - first + 1 < sizeBytes && {
              "content-range": `bytes ${first}-${last}/${sizeBytes}`,
            }),
            "content-type": "application/octet-stream",
            "content-length": String(last - first + 1),
            // Asks a Holdfast host to send 102 Processing while it checks the file.
            prefer: "processing",
            // Digest of the whole file (RFC 9530), so that the server can distinguish ranges of
            // different uploads.
            "repr-digest": `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:`,
          };
          const send = (write: (bytes: Uint8Array) => Promise<void>) =>
            sendRange(file, range, async (bytes) => {
              await write(bytes);
              // Bytes that are sent again are not progress.
              if (number === 1) progress();
            });
          await client.request(
            { method: "PUT", headers, send, idleTimeoutMs },
            either,
            async ({ status, header }) => {
              if (status < 200 || status >= 300)
                throw fromStatus(status, header("retry-after"), "PUT", client.name);
            },
          );
        }
        onBytes(range.last - range.first + 1);
      },
    );
  } finally {
    await file.close();
  }
}

type ReadableFile = Pick<OpenFile, "read" | "close">;

function fileOf(bytes: Uint8Array): ReadableFile {
  return {
    async read(buffer, position) {
      const chunk = bytes.subarray(position, position + buffer.length);
      buffer.set(chunk);
      return chunk.length;
    },
    close: async () => {},
  };
}

/** Sends a range with one buffer, which is reused when its contents were sent. */
async function sendRange(
  file: ReadableFile,
  { first, last }: ByteRange,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(limits.httpBufferBytes, last - first + 1));
  for (let position = first; position <= last;) {
    const wanted = buffer.subarray(0, Math.min(buffer.length, last + 1 - position));
    const count = await file.read(wanted, position);
    if (count < wanted.length)
      throw Object.assign(new Error("the file became shorter during the upload"), { code: "EIO" });
    await write(wanted);
    position += count;
  }
}

import type { OpenFile } from "../../io/file-system.js";
import type { Platform } from "../../io/platform.js";
import type { ObjectBody } from "../destination.js";
import { limits } from "../../limits.js";
import { fromStatus } from "./failure.js";
import type { HttpFileClient } from "./client.js";
import { retry } from "./retry.js";
import { eachRange, rangesOf, type ByteRange } from "./ranges.js";

/** What is sent. */
export interface Upload {
  body: ObjectBody;
  sizeBytes: number;
  /** In lower-case hexadecimal. */
  sha256: string;
}

/**
 * Sends bytes by PUTs of ranges, several at a time; each range is retried on its own. `onBytes`
 * receives the size of each range that has arrived.
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
    await eachRange(rangesOf(0, sizeBytes), limits.httpRequests, signal, async (range, either) => {
      await retry(platform, either, (attempt) => put(range, attempt));

      async function put(
        { first, last }: ByteRange,
        { number, silenceMs, progress }: { number: number; silenceMs: number; progress(): void },
      ): Promise<void> {
        const headers = {
          // A whole file is a plain PUT: servers without partial PUT have to refuse a Content-Range (RFC 9110, 14.5).
          ...(last - first + 1 < sizeBytes && {
            "content-range": `bytes ${first}-${last}/${sizeBytes}`,
          }),
          "content-type": "application/octet-stream",
          "content-length": String(last - first + 1),
          // While it looks through what came, a host of ours says that it still works.
          prefer: "processing",
          // Of the whole file (RFC 9530), so that a receiver can tell parts of different uploads apart.
          "repr-digest": `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:`,
        };
        const send = (write: (bytes: Uint8Array) => Promise<void>) =>
          sendRange(file, range, async (bytes) => {
            await write(bytes);
            // That a slow line moves is getting on, once: bytes that have to be sent again are not.
            if (number === 1) progress();
          });
        await client.ask(
          { method: "PUT", headers, send, silenceMs },
          either,
          async ({ status, header }) => {
            if (status < 200 || status >= 300)
              throw fromStatus(status, header("retry-after"), "PUT", client.name);
          },
        );
      }
      onBytes(range.last - range.first + 1);
    });
  } finally {
    await file.close();
  }
}

type ReadableFile = Pick<OpenFile, "read" | "close">;

function fileOf(bytes: Uint8Array): ReadableFile {
  return {
    async read(buffer, position) {
      const piece = bytes.subarray(position, position + buffer.length);
      buffer.set(piece);
      return piece.length;
    },
    close: async () => {},
  };
}

/** Reads the range into one buffer again and again: the next piece is read when the last one was handed over. */
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
      throw Object.assign(new Error("the file became shorter"), { code: "EIO" });
    await write(wanted);
    position += count;
  }
}

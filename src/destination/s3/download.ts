import type { Readable } from "node:stream";
import { HostError } from "../../errors.js";
import { eachConcurrently } from "../../io/each-concurrently.js";
import { limits } from "../../limits.js";
import { parseContentRange, rangesOf, type ByteRange } from "../network/ranges.js";
import type { Sink } from "../network/file-sink.js";
import type { S3Bucket } from "./bucket.js";
import { isConditionFailed, isNoSuchKey, statusOf } from "./failure.js";

/** The object that a download reads: all its requests must be answered from the same one. */
interface Pinned {
  etag: string;
  sizeBytes: number;
}

/** A response with a range of an object. */
interface Opened extends Pinned {
  /** Absent for a range after the end. */
  body?: Readable;
}

/** Reads an object from an offset in order. After a failure, continues where it stopped. */
export async function* readInOrder(
  bucket: S3Bucket,
  key: string,
  { offset, end, uri }: { offset: number; end: number | undefined; uri: string },
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let position = offset;
  let pinned: Pinned | undefined;
  for (let cuts = 0; ;) {
    const from = position;
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    let failure: unknown;
    try {
      // The first chunk belongs to the request, so that a response without bytes is not progress.
      const opened = await bucket.request("read", key, signal, async (call) => {
        const range = { first: from, last: end === undefined ? undefined : end - 1 };
        const found = await openRange(bucket, call, key, range, pinned, uri);
        const chunks = chunksOf(found, either);
        const first = await chunks.next();
        call.pause();
        return { found, first, chunks, idleTimeoutMs: call.idleTimeoutMs };
      });
      pinned = opened.found;
      const last = end ?? pinned.sizeBytes;
      if (last > pinned.sizeBytes) {
        throw new HostError(
          "BACKUP_DAMAGED",
          `${uri} has ${pinned.sizeBytes} bytes and ends before ${last}.`,
        );
      }
      const { chunks, idleTimeoutMs } = opened;
      for (let next = opened.first; !next.done; next = await nextOf(chunks, uri, idleTimeoutMs)) {
        const wanted = next.value.subarray(0, last - position);
        position += wanted.length;
        if (wanted.length > 0) yield wanted;
        // What follows, if the store does not stop, is not part of the object.
        if (position >= last) break;
      }
      if (position >= last) return;
      failure = cutOff(uri, last - position);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      failure = error;
    } finally {
      stop.abort();
    }
    // The request itself was retried; what remains is a body that ended early after some bytes.
    const isTransient =
      failure instanceof HostError && failure.reason === "DESTINATION_UNREACHABLE";
    cuts = position - from >= limits.httpProgressBytes ? 0 : cuts + 1;
    if (!isTransient || cuts > limits.s3Cuts) throw failure;
  }
}

const cutOff = (uri: string, missing: number) =>
  new HostError(
    "DESTINATION_UNREACHABLE",
    `The store ended its response with ${uri} ${missing} bytes too early.`,
  );

async function* chunksOf({ body }: Opened, signal: AbortSignal): AsyncGenerator<Buffer> {
  if (body === undefined) return;
  const abort = () => body.destroy();
  signal.addEventListener("abort", abort, { once: true });
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) yield chunk;
  } finally {
    signal.removeEventListener("abort", abort);
    body.destroy();
  }
}

/** Returns the next chunk. Throws DESTINATION_UNREACHABLE if it does not arrive or the connection ends. */
async function nextOf(
  chunks: AsyncGenerator<Buffer>,
  uri: string,
  timeoutMs: number,
): Promise<IteratorResult<Buffer, unknown>> {
  let timer: NodeJS.Timeout | undefined;
  const timedOut = new Promise<never>((_resolve, reject) => {
    const error = new HostError(
      "DESTINATION_UNREACHABLE",
      `The store stopped sending ${uri} for ${Math.round(timeoutMs) / 1000} s.`,
    );
    timer = setTimeout(() => reject(error), timeoutMs);
  });
  try {
    return await Promise.race([chunks.next(), timedOut]);
  } catch (error) {
    if (error instanceof HostError) throw error;
    throw new HostError(
      "DESTINATION_UNREACHABLE",
      `The store closed the connection in the middle of ${uri}.`,
      { cause: error },
    );
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Downloads an object: a first range that also tells its size, then the others, several at a time. Each is
 * retried by itself and continues where it stopped.
 */
export async function downloadObject(
  bucket: S3Bucket,
  key: string,
  sink: Sink,
  { uri, maxBytes }: { uri: string; maxBytes: number },
  signal: AbortSignal,
): Promise<void> {
  const first = { first: 0, last: limits.s3RangeBytes - 1 };
  let pinned: Pinned | undefined;
  await takeRange(bucket, key, first, sink, signal, {
    uri,
    async onOpened(opened) {
      if (pinned !== undefined) return checkSame(pinned, opened, uri);
      if (opened.sizeBytes > maxBytes) {
        throw new HostError(
          "BACKUP_DAMAGED",
          `${uri} has ${opened.sizeBytes} bytes, and at most ${maxBytes} are expected.`,
        );
      }
      pinned = opened;
      await sink.expect(opened.sizeBytes);
    },
  });
  const { sizeBytes } = pinned ?? { sizeBytes: 0 };
  const ranges = rangesOf(limits.s3RangeBytes, sizeBytes, limits.s3RangeBytes);
  await eachConcurrently(ranges, limits.s3Ranges, signal, (range, either) =>
    takeRange(bucket, key, range, sink, either, {
      uri,
      ...(pinned && { pinned }),
      onOpened: async () => {},
    }),
  );
}

interface RangeOptions {
  uri: string;
  pinned?: Pinned;
  /** Receives what the store says about the object, before its bytes are written. */
  onOpened(opened: Opened): Promise<void>;
}

async function takeRange(
  bucket: S3Bucket,
  key: string,
  range: ByteRange,
  sink: Sink,
  signal: AbortSignal,
  { uri, pinned, onOpened }: RangeOptions,
): Promise<void> {
  let position = range.first;
  await bucket.request("read", key, signal, async (call) => {
    const wanted = { first: position, last: range.last };
    const opened = await openRange(bucket, call, key, wanted, pinned, uri);
    await onOpened(opened);
    const end = Math.min(range.last + 1, opened.sizeBytes);
    let uncounted = 0;
    for await (const chunk of (opened.body ?? []) as AsyncIterable<Buffer>) {
      const useful = chunk.subarray(0, end - position);
      call.pause();
      await sink.write(useful, position);
      call.touch();
      position += useful.length;
      // What follows, if the store does not stop, is not part of the range.
      if (position >= end) break;
      uncounted += useful.length;
      if (uncounted < limits.httpProgressBytes) continue;
      uncounted = 0;
      call.attempt.progress();
    }
    if (position < end) throw cutOff(uri, end - position);
  });
}

async function openRange(
  bucket: S3Bucket,
  { sdk, send, touch }: Parameters<Parameters<S3Bucket["request"]>[3]>[0],
  key: string,
  { first, last }: { first: number; last: number | undefined },
  pinned: Pinned | undefined,
  uri: string,
): Promise<Opened> {
  const isWhole = first === 0 && last === undefined;
  try {
    const found = await send(
      new sdk.GetObjectCommand({
        Bucket: bucket.name,
        Key: key,
        ...(!isWhole && { Range: `bytes=${first}-${last ?? ""}` }),
        ...(pinned && { IfMatch: pinned.etag }),
      }),
    );
    touch();
    const body = found.Body as Readable;
    const range = parseContentRange(found.ContentRange);
    if (!isWhole && range?.first !== first) {
      body.destroy();
      throw new HostError(
        "DESTINATION_REFUSED",
        `The store of ${uri} ignored the range of a request.`,
      );
    }
    const opened = {
      body,
      etag: found.ETag ?? "",
      sizeBytes: range?.total ?? found.ContentLength ?? 0,
    };
    if (pinned) checkSame(pinned, opened, uri);
    return opened;
  } catch (error) {
    if (isConditionFailed(error)) throw changed(uri);
    if (isNoSuchKey(error)) {
      throw pinned
        ? changed(uri)
        : new HostError("BACKUP_NOT_FOUND", `${uri} does not exist.`, { metadata: { path: uri } });
    }
    // An empty object has no ranges.
    if (statusOf(error) !== 416) throw error;
    const found = await bucket.head(key, AbortSignal.timeout(limits.httpRetryTimeoutMs));
    return { etag: found?.etag ?? "", sizeBytes: found?.sizeBytes ?? 0 };
  }
}

function checkSame(pinned: Pinned, opened: Opened, uri: string): void {
  if (opened.etag === pinned.etag && opened.sizeBytes === pinned.sizeBytes) return;
  opened.body?.destroy();
  throw changed(uri);
}

const changed = (uri: string) =>
  new HostError(
    "SOURCE_CHANGED",
    `${uri} was replaced while it was read. Nothing was changed. Retry.`,
    {
      metadata: { path: uri },
    },
  );

import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import { changed, checkSame, readResponse, strongTag, type FileFacts } from "./response.js";
import type { HttpFileClient, HttpResponse } from "./client.js";
import { retry, type Attempt } from "./retry.js";
import { chunkBytes, eachRange, rangesOf, type ByteRange } from "./ranges.js";

/** Receives the bytes of a download. Its errors end the download unchanged. */
export interface Sink {
  /** Called with the size of the file, or undefined if unknown. Throws if the file is too large. */
  expect(total: number | undefined): Promise<void>;
  /** Writes bytes at an offset. */
  write(bytes: Buffer, position: number): Promise<void>;
  /** Discards all bytes, because the download starts again. */
  restart(): Promise<void>;
}

/**
 * Downloads a file and resolves to its size. Requests `concurrency` ranges at a time, in order, and
 * retries each separately. A server without ranges is read as one stream, which starts again after a
 * failure.
 */
export async function download(
  platform: Platform,
  client: HttpFileClient,
  sink: Sink,
  concurrency: number,
  signal: AbortSignal,
): Promise<number> {
  const fetch = fetcher(client, sink);
  const opened = await retry(platform, signal, (attempt) => fetch.open(attempt, signal));
  if (opened === "no ranges")
    return retry(platform, signal, (attempt) => fetch.whole(attempt, signal));
  if (opened.kind === "whole") return opened.total;
  const { facts, position } = opened;
  const size = chunkBytes(facts.total);
  await eachRange(
    rangesOf(position, facts.total, size),
    concurrency,
    signal,
    async (range, either) => {
      let from = range.first;
      await retry(platform, either, async (attempt) => {
        await fetch.range(
          { first: from, last: range.last },
          facts,
          attempt,
          either,
          (next) => (from = next),
        );
      });
    },
  );
  return facts.total;
}

/**
 * Returns a function that counts bytes, and throws DESTINATION_UNREACHABLE below
 * limits.httpProgressBytes per httpProgressMs.
 */
function watchRate(server: string): (bytes: number) => void {
  let sinceMs = performance.now();
  let bytes = 0;
  return (count) => {
    bytes += count;
    const now = performance.now();
    if (bytes >= limits.httpProgressBytes) {
      bytes = 0;
      sinceMs = now;
    } else if (now - sinceMs > limits.httpProgressMs) {
      throw new HostError(
        "DESTINATION_UNREACHABLE",
        `${server} sent ${bytes} bytes in ${Math.round((now - sinceMs) / 1000)} s, which is below the minimum rate.`,
      );
    }
  };
}

type Opened =
  | { kind: "whole"; total: number }
  | { kind: "ranges"; facts: FileFacts; position: number }
  | "no ranges";

function fetcher(client: HttpFileClient, sink: Sink) {
  const server = client.name;
  /** Whether the server excludes the last byte of a range, as Xenon does. */
  let exclusiveRangeEnd = false;
  /** Greatest offset of a stream without ranges. Only bytes beyond it are progress. */
  let furthest = 0;
  let hasStarted = false;

  function get<T>(
    requested: ByteRange | undefined,
    facts: FileFacts | undefined,
    { idleTimeoutMs }: Attempt,
    signal: AbortSignal,
    use: (response: HttpResponse) => Promise<T>,
  ): Promise<T> {
    const tag = facts && strongTag(facts);
    const headers = {
      "accept-encoding": "identity",
      ...(requested && {
        range: `bytes=${requested.first}-${requested.last + (exclusiveRangeEnd ? 1 : 0)}`,
      }),
      ...(tag !== undefined && { "if-range": tag }),
    };
    return client.request({ method: "GET", headers, idleTimeoutMs }, signal, use);
  }

  /**
   * Writes the bytes of a range. Returns the offset after the last byte, also if the body ends
   * early.
   */
  async function take(
    body: AsyncIterable<Buffer>,
    { first, last }: ByteRange,
    attempt: Attempt,
    onPosition: (next: number) => void,
  ): Promise<number> {
    let position = first;
    let counted = first;
    const countBytes = watchRate(server);
    for await (const chunk of body) {
      countBytes(chunk.length);
      const missing = last + 1 - position;
      if (missing === 0) break;
      const wanted = chunk.subarray(0, missing);
      await sink.write(wanted, position);
      position += wanted.length;
      onPosition(position);
      if (position - counted >= limits.httpProgressBytes) {
        counted = position;
        attempt.progress();
      }
      // A server that includes the end sends one byte too many for a range that excludes it.
      if (chunk.length > missing + 1) break;
    }
    return position;
  }

  function detectExclusiveEnd(
    requested: ByteRange,
    reported: { last: number; total: number },
    position: number,
  ): void {
    const requestedEnd = requested.last + (exclusiveRangeEnd ? 1 : 0);
    if (
      position - requested.first === reported.last - requested.first &&
      (reported.last === requestedEnd || reported.last === reported.total)
    )
      exclusiveRangeEnd = true;
  }

  async function start(total: number | undefined): Promise<void> {
    if (hasStarted) await sink.restart();
    hasStarted = true;
    await sink.expect(total);
  }

  async function stream(
    body: AsyncIterable<Buffer>,
    length: number | undefined,
    attempt: Attempt,
  ): Promise<number> {
    await start(length);
    let position = 0;
    const countBytes = watchRate(server);
    for await (const chunk of body) {
      countBytes(chunk.length);
      await sink.write(chunk, position);
      position += chunk.length;
      if (position >= furthest + limits.httpProgressBytes) {
        furthest = position;
        attempt.progress();
      }
    }
    return position;
  }

  return {
    /**
     * Sends the first request, which determines size and support of ranges and reads the first
     * bytes.
     */
    open(attempt: Attempt, signal: AbortSignal): Promise<Opened> {
      const requested = { first: 0, last: limits.httpChunkBytesMin - 1 };
      return get(requested, undefined, attempt, signal, async (response): Promise<Opened> => {
        const result = readResponse(response, requested, server);
        // An empty file has no ranges. As a whole, it is an empty body.
        if (result.kind === "unknown range" || result.kind === "none") return "no ranges";
        if (result.kind === "whole")
          return { kind: "whole", total: await stream(response.body, result.length, attempt) };
        const { facts, last } = result;
        await start(facts.total);
        let position = 0;
        const wanted = { first: 0, last: Math.min(requested.last, facts.total - 1) };
        try {
          position = await take(response.body, wanted, attempt, (next) => (position = next));
          detectExclusiveEnd(requested, { last, total: facts.total }, position);
        } catch (error) {
          // Received bytes are kept, and the rest is requested like other ranges.
          if (
            !(error instanceof HostError) ||
            error.reason !== "DESTINATION_UNREACHABLE" ||
            signal.aborted
          )
            throw error;
        }
        return { kind: "ranges", facts, position };
      });
    },

    /** Downloads the whole file from a server without usable ranges. */
    whole: (attempt: Attempt, signal: AbortSignal): Promise<number> =>
      get(undefined, undefined, attempt, signal, async (response) => {
        const result = readResponse(response, undefined, server);
        if (result.kind !== "whole")
          throw new HostError(
            "DESTINATION_REFUSED",
            `${server} responded with a part of the file to a request for the whole file.`,
          );
        return stream(response.body, result.length, attempt);
      }),

    /**
     * Downloads a range. Throws DESTINATION_UNREACHABLE if the response is too short; `onPosition`
     * receives the offset reached.
     */
    range: (
      requested: ByteRange,
      facts: FileFacts,
      attempt: Attempt,
      signal: AbortSignal,
      onPosition: (next: number) => void,
    ): Promise<void> =>
      get(requested, facts, attempt, signal, async (response) => {
        const result = readResponse(response, requested, server);
        const tooShort = (received: number) =>
          new HostError(
            "DESTINATION_UNREACHABLE",
            `${server} responded with ${received} of ${requested.last + 1 - requested.first} requested bytes.`,
          );
        if (result.kind === "none") {
          if (exclusiveRangeEnd || requested.first !== requested.last)
            throw changed(
              server,
              `bytes ${requested.first} to ${requested.last} do not exist any more`,
            );
          // For a server that excludes the end, a range of one byte is empty.
          exclusiveRangeEnd = true;
          throw tooShort(0);
        }
        if (result.kind === "unknown range")
          throw new HostError(
            "DESTINATION_REFUSED",
            `${server} responded with a part of the file without a Content-Range.`,
          );
        if (result.kind === "whole")
          throw changed(server, "it responded with the whole new file to a request for a range");
        checkSame(facts, result.facts, server);
        const position = await take(response.body, requested, attempt, onPosition);
        detectExclusiveEnd(requested, { last: result.last, total: facts.total }, position);
        if (position <= requested.last) {
          if (position === requested.first && requested.first === requested.last)
            exclusiveRangeEnd = true;
          throw tooShort(position - requested.first);
        }
      }),
  };
}

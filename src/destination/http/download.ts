import { eachConcurrently } from "../../io/each-concurrently.js";
import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import { changed, checkSame, readResponse, strongTag, type FileFacts } from "./response.js";
import type { HttpFileClient, HttpResponse } from "./client.js";
import { retry, type Attempt } from "../retry.js";
import type { Sink } from "../network/file-sink.js";
import { chunkBytes, rangesOf, type ByteRange } from "../network/ranges.js";

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
  const requests = new DownloadRequests(client, sink);
  const opened = await retry(platform, signal, (attempt) => requests.open(attempt, signal));
  if (opened === "no ranges")
    return retry(platform, signal, (attempt) => requests.whole(attempt, signal));
  if (opened.kind === "whole") return opened.total;
  const { facts, position } = opened;
  const ranges = rangesOf(position, facts.total, chunkBytes(facts.total));
  await eachConcurrently(ranges, concurrency, signal, async ({ first, last }, either) => {
    let from = first;
    const onPosition = (next: number) => void (from = next);
    await retry(platform, either, (attempt) =>
      requests.range({ first: from, last }, facts, attempt, either, onPosition),
    );
  });
  return facts.total;
}

type Opened =
  | { kind: "whole"; total: number }
  | { kind: "ranges"; facts: FileFacts; position: number }
  | "no ranges";

/** The requests of one download, and what their responses reveal about the server. */
class DownloadRequests {
  readonly #client: HttpFileClient;
  readonly #sink: Sink;
  /** Whether the server excludes the last byte of a range, as Xenon does. */
  #exclusiveRangeEnd = false;
  /** Greatest offset of a stream without ranges. Only bytes beyond it are progress. */
  #furthest = 0;
  #hasStarted = false;

  constructor(client: HttpFileClient, sink: Sink) {
    this.#client = client;
    this.#sink = sink;
  }

  /** Sends the first request, which determines size and support of ranges and reads the first bytes. */
  open(attempt: Attempt, signal: AbortSignal): Promise<Opened> {
    const requested = { first: 0, last: limits.httpChunkBytesMin - 1 };
    return this.#get(requested, undefined, attempt, signal, async (response): Promise<Opened> => {
      const result = readResponse(response, requested, this.#client.name);
      // An empty file has no ranges. As a whole, it is an empty body.
      if (result.kind === "unknown range" || result.kind === "none") return "no ranges";
      if (result.kind === "whole")
        return { kind: "whole", total: await this.#stream(response.body, result.length, attempt) };
      const { facts, last } = result;
      await this.#start(facts.total);
      let position = 0;
      const wanted = { first: 0, last: Math.min(requested.last, facts.total - 1) };
      try {
        position = await this.#take(response.body, wanted, attempt, (next) => (position = next));
        this.#detectExclusiveEnd(requested, { last, total: facts.total }, position);
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
  }

  /** Downloads the whole file from a server without usable ranges. */
  whole(attempt: Attempt, signal: AbortSignal): Promise<number> {
    return this.#get(undefined, undefined, attempt, signal, async (response) => {
      const result = readResponse(response, undefined, this.#client.name);
      if (result.kind !== "whole")
        throw new HostError(
          "DESTINATION_REFUSED",
          `${this.#client.name} responded with a part of the file to a request for the whole file.`,
        );
      return this.#stream(response.body, result.length, attempt);
    });
  }

  /** Downloads a range. Throws DESTINATION_UNREACHABLE if the response is too short; `onPosition` receives the offset reached. */
  range(
    requested: ByteRange,
    facts: FileFacts,
    attempt: Attempt,
    signal: AbortSignal,
    onPosition: (next: number) => void,
  ): Promise<void> {
    const { first, last } = requested;
    return this.#get(requested, facts, attempt, signal, async (response) => {
      const reported = this.#requireRange(response, requested, facts);
      const position = await this.#take(response.body, requested, attempt, onPosition);
      this.#detectExclusiveEnd(requested, { last: reported, total: facts.total }, position);
      if (position > last) return;
      if (position === first && first === last) this.#exclusiveRangeEnd = true;
      throw this.#tooShort(requested, position - first);
    });
  }

  #get<T>(
    requested: ByteRange | undefined,
    facts: FileFacts | undefined,
    { idleTimeoutMs }: Attempt,
    signal: AbortSignal,
    use: (response: HttpResponse) => Promise<T>,
  ): Promise<T> {
    const tag = facts && strongTag(facts);
    const headers = {
      "accept-encoding": "identity",
      ...(requested && { range: `bytes=${requested.first}-${this.#requestedEnd(requested)}` }),
      ...(tag !== undefined && { "if-range": tag }),
    };
    return this.#client.request({ method: "GET", headers, idleTimeoutMs }, signal, use);
  }

  #requestedEnd({ last }: ByteRange): number {
    return last + (this.#exclusiveRangeEnd ? 1 : 0);
  }

  /** Throws unless the response has the range of the same file. Returns the last offset that it reports. */
  #requireRange(response: HttpResponse, requested: ByteRange, facts: FileFacts): number {
    const server = this.#client.name;
    const { first, last } = requested;
    const result = readResponse(response, requested, server);
    if (result.kind === "none") {
      if (this.#exclusiveRangeEnd || first !== last)
        throw changed(server, `bytes ${first} to ${last} do not exist any more`);
      // For a server that excludes the end, a range of one byte is empty.
      this.#exclusiveRangeEnd = true;
      throw this.#tooShort(requested, 0);
    }
    if (result.kind === "unknown range")
      throw new HostError(
        "DESTINATION_REFUSED",
        `${server} responded with a part of the file without a Content-Range.`,
      );
    if (result.kind === "whole")
      throw changed(server, "it responded with the whole new file to a request for a range");
    checkSame(facts, result.facts, server);
    return result.last;
  }

  #tooShort({ first, last }: ByteRange, received: number): HostError {
    return new HostError(
      "DESTINATION_UNREACHABLE",
      `${this.#client.name} responded with ${received} of ${last + 1 - first} requested bytes.`,
    );
  }

  #detectExclusiveEnd(
    requested: ByteRange,
    reported: { last: number; total: number },
    position: number,
  ): void {
    if (
      position === reported.last &&
      (reported.last === this.#requestedEnd(requested) || reported.last === reported.total)
    )
      this.#exclusiveRangeEnd = true;
  }

  /** Writes the bytes of a range. Returns the offset after the last byte, also if the body ends early. */
  async #take(
    body: AsyncIterable<Buffer>,
    { first, last }: ByteRange,
    attempt: Attempt,
    onPosition: (next: number) => void,
  ): Promise<number> {
    let position = first;
    let counted = first;
    const countBytes = watchRate(this.#client.name);
    for await (const chunk of body) {
      countBytes(chunk.length);
      const missing = last + 1 - position;
      if (missing === 0) break;
      const wanted = chunk.subarray(0, missing);
      await this.#sink.write(wanted, position);
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

  /** Writes the bytes of a whole file. Returns their number. */
  async #stream(
    body: AsyncIterable<Buffer>,
    length: number | undefined,
    attempt: Attempt,
  ): Promise<number> {
    await this.#start(length);
    let position = 0;
    const countBytes = watchRate(this.#client.name);
    for await (const chunk of body) {
      countBytes(chunk.length);
      await this.#sink.write(chunk, position);
      position += chunk.length;
      if (position >= this.#furthest + limits.httpProgressBytes) {
        this.#furthest = position;
        attempt.progress();
      }
    }
    return position;
  }

  async #start(total: number | undefined): Promise<void> {
    if (this.#hasStarted) await this.#sink.restart();
    this.#hasStarted = true;
    await this.#sink.expect(total);
  }
}

/** Returns a function that counts bytes, and throws DESTINATION_UNREACHABLE below limits.httpProgressBytes per httpProgressMs. */
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

import { HostError } from "../../errors.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import { changed, checkSame, readAnswer, strongTag, type FileFacts } from "./answer.js";
import type { Answer, HttpFileClient } from "./client.js";
import { retry, type Attempt } from "./retry.js";
import { chunkBytes, eachRange, rangesOf, type ByteRange } from "./ranges.js";

/** What takes the bytes of a download. Its errors end the download as they are. */
export interface Sink {
  /** How large the file is, as the other end says; absent where it does not say. Throws where that is too much. */
  expect(total: number | undefined): Promise<void>;
  write(bytes: Buffer, position: number): Promise<void>;
  /** Discards what was written; the download starts again. */
  restart(): Promise<void>;
}

/**
 * Fetches a file by ranges, `atOnce` of them at a time; those are begun in order, and with one at a time the bytes come in
 * order. A server that knows no ranges is read as one stream, from the start again where it breaks. Resolves with the size.
 */
export async function download(
  platform: Platform,
  client: HttpFileClient,
  sink: Sink,
  atOnce: number,
  signal: AbortSignal,
): Promise<number> {
  const fetch = fetcher(client, sink);
  const opened = await retry(platform, signal, (attempt) => fetch.open(attempt, signal));
  if (opened === "no ranges")
    return retry(platform, signal, (attempt) => fetch.whole(attempt, signal));
  if (opened.kind === "whole") return opened.total;
  const { facts, position } = opened;
  const size = chunkBytes(facts.total);
  await eachRange(rangesOf(position, facts.total, size), atOnce, signal, async (range, either) => {
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
  });
  return facts.total;
}

/** Throws DESTINATION_UNREACHABLE where a body gets on by less than remoteProgressBytes in remoteSlowMs. */
function watchPace(end: string): (bytes: number) => void {
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
        `${end} sent ${bytes} bytes in ${Math.round((now - sinceMs) / 1000)} s, too few to wait for.`,
      );
    }
  };
}

type Opened =
  | { kind: "whole"; total: number }
  | { kind: "ranges"; facts: FileFacts; position: number }
  | "no ranges";

function fetcher(client: HttpFileClient, sink: Sink) {
  const end = client.name;
  /** Whether the server takes the last byte of a range for the first one after it, as Xenon does. */
  let countsEndOut = false;
  /** The furthest a stream without ranges has come: only beyond it is getting on. */
  let furthest = 0;
  let began = false;

  function get<T>(
    asked: ByteRange | undefined,
    facts: FileFacts | undefined,
    { silenceMs }: Attempt,
    signal: AbortSignal,
    use: (answer: Answer) => Promise<T>,
  ): Promise<T> {
    const tag = facts && strongTag(facts);
    const headers = {
      "accept-encoding": "identity",
      ...(asked && { range: `bytes=${asked.first}-${asked.last + (countsEndOut ? 1 : 0)}` }),
      ...(tag !== undefined && { "if-range": tag }),
    };
    return client.ask({ method: "GET", headers, silenceMs }, signal, use);
  }

  /** Takes the bytes from the place on up to `last`; returns the place after the last one, however the body ends. */
  async function take(
    body: AsyncIterable<Buffer>,
    { first, last }: ByteRange,
    attempt: Attempt,
    onPosition: (next: number) => void,
  ): Promise<number> {
    let position = first;
    let counted = first;
    const pace = watchPace(end);
    for await (const chunk of body) {
      pace(chunk.length);
      const room = last + 1 - position;
      if (room === 0) break;
      const wanted = chunk.subarray(0, room);
      await sink.write(wanted, position);
      position += wanted.length;
      onPosition(position);
      if (position - counted >= limits.httpProgressBytes) {
        counted = position;
        attempt.progress();
      }
      // One byte too many is what a server that counts the end in answers to a question that counts it out.
      if (chunk.length > room + 1) break;
    }
    return position;
  }

  function learnCounting(
    asked: ByteRange,
    told: { last: number; total: number },
    position: number,
  ): void {
    const askedEnd = asked.last + (countsEndOut ? 1 : 0);
    if (
      position - asked.first === told.last - asked.first &&
      (told.last === askedEnd || told.last === told.total)
    )
      countsEndOut = true;
  }

  async function begin(total: number | undefined): Promise<void> {
    if (began) await sink.restart();
    began = true;
    await sink.expect(total);
  }

  async function stream(
    body: AsyncIterable<Buffer>,
    length: number | undefined,
    attempt: Attempt,
  ): Promise<number> {
    await begin(length);
    let position = 0;
    const pace = watchPace(end);
    for await (const chunk of body) {
      pace(chunk.length);
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
    /** The first question: it learns what there is, and takes the first bytes. */
    open(attempt: Attempt, signal: AbortSignal): Promise<Opened> {
      const asked = { first: 0, last: limits.httpChunkBytesMin - 1 };
      return get(asked, undefined, attempt, signal, async (answer): Promise<Opened> => {
        const answered = readAnswer(answer, asked, end);
        // An empty file has no range; without one it is an empty body.
        if (answered.kind === "unplaced" || answered.kind === "none") return "no ranges";
        if (answered.kind === "whole")
          return { kind: "whole", total: await stream(answer.body, answered.length, attempt) };
        const { facts, last } = answered;
        await begin(facts.total);
        let position = 0;
        const wanted = { first: 0, last: Math.min(asked.last, facts.total - 1) };
        try {
          position = await take(answer.body, wanted, attempt, (next) => (position = next));
          learnCounting(asked, { last, total: facts.total }, position);
        } catch (error) {
          // What came is kept: the rest is asked for as a range like the others.
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

    /** The file in one piece, from a server whose ranges are of no use. */
    whole: (attempt: Attempt, signal: AbortSignal): Promise<number> =>
      get(undefined, undefined, attempt, signal, async (answer) => {
        const answered = readAnswer(answer, undefined, end);
        if (answered.kind !== "whole")
          throw new HostError(
            "DESTINATION_REFUSED",
            `${end} answers parts of a file without saying which, even where none was asked for.`,
          );
        return stream(answer.body, answered.length, attempt);
      }),

    /** A range, or as much of it as comes: throws DESTINATION_UNREACHABLE when it was less. */
    range: (
      asked: ByteRange,
      facts: FileFacts,
      attempt: Attempt,
      signal: AbortSignal,
      onPosition: (next: number) => void,
    ): Promise<void> =>
      get(asked, facts, attempt, signal, async (answer) => {
        const answered = readAnswer(answer, asked, end);
        const short = (got: number) =>
          new HostError(
            "DESTINATION_UNREACHABLE",
            `${end} answered with ${got} bytes where ${asked.last + 1 - asked.first} were asked for.`,
          );
        if (answered.kind === "none") {
          if (countsEndOut || asked.first !== asked.last)
            throw changed(end, `it has no bytes ${asked.first} to ${asked.last} any more`);
          // To a server that excludes the end, a range of one byte is empty.
          countsEndOut = true;
          throw short(0);
        }
        if (answered.kind === "unplaced")
          throw new HostError(
            "DESTINATION_REFUSED",
            `${end} answered a part of the file without saying which.`,
          );
        if (answered.kind === "whole")
          throw changed(
            end,
            "it answers with the whole file where a part of the former one was asked for",
          );
        checkSame(facts, answered.facts, end);
        const position = await take(answer.body, asked, attempt, onPosition);
        learnCounting(asked, { last: answered.last, total: facts.total }, position);
        if (position <= asked.last) {
          if (position === asked.first && asked.first === asked.last) countsEndOut = true;
          throw short(position - asked.first);
        }
      }),
  };
}

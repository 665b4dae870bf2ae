import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { DocumentService, Upserted } from "./document-service.js";

/**
 * Progress of an import: the number of leading documents of the stream that are durable, including
 * skipped ones.
 */
export interface ImportProgress {
  documents: number;
  created: number;
  replaced: number;
  unchanged: number;
  done: boolean;
}

type Outcome = Upserted | { error: unknown };

interface Writing {
  bytes: number;
  written: Promise<Outcome>;
  isWritten: boolean;
}

/**
 * Writes documents concurrently as they arrive. Yields the number of durable documents about every
 * limits.importProgressMs milliseconds, and at the end. If a document cannot be written, throws its
 * error with the metadata `documents`: all documents before it are durable, and some after it may
 * be.
 */
export async function* importDocuments(
  documents: Pick<DocumentService, "upsert">,
  factoryPath: string,
  skip: number,
  bodies: AsyncIterable<string>,
  signal: AbortSignal,
): AsyncGenerator<ImportProgress, undefined> {
  const progress: ImportProgress = {
    documents: 0,
    created: 0,
    replaced: 0,
    unchanged: 0,
    done: false,
  };
  const writing: Writing[] = [];
  const perLink = new Map<string, Promise<unknown>>();
  let writingBytes = 0;
  let reportedMs = performance.now();

  /** Writes versions of the same document in the order of the stream. */
  function write(body: string): Promise<Outcome> {
    const link = linkOf(body);
    const previous = perLink.get(link) ?? Promise.resolve();
    const written = previous
      .then(() => documents.upsert(factoryPath, body))
      .catch((error: unknown) => ({ error }));
    perLink.set(link, written);
    void written.then(() => perLink.get(link) === written && perLink.delete(link));
    return written;
  }

  async function settleOldest(): Promise<void> {
    const oldest = writing.shift();
    if (!oldest) return;
    const outcome = await oldest.written;
    if ("error" in outcome) {
      await Promise.all(writing.map(({ written }) => written));
      throw failedAt(progress.documents, outcome.error);
    }
    writingBytes -= oldest.bytes;
    progress.documents += 1;
    progress[outcome.outcome] += 1;
  }

  const source = bodies[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await source.next().catch(async (error: unknown) => {
        signal.throwIfAborted();
        // For a malformed line, write the preceding documents and report their number.
        while (writing.length > 0) await settleOldest();
        throw failedAt(progress.documents, error);
      });
      if (next.done) break;
      const body = next.value;
      signal.throwIfAborted();
      if (progress.documents < skip) {
        progress.documents += 1;
        continue;
      }
      const bytes = Buffer.byteLength(body);
      while (
        writing.length >= limits.importDocuments ||
        (writing.length > 0 && writingBytes + bytes > limits.importBytes)
      )
        await settleOldest();
      const one: Writing = { bytes, written: write(body), isWritten: false };
      void one.written.then(() => (one.isWritten = true));
      writing.push(one);
      writingBytes += bytes;
      if (performance.now() - reportedMs < limits.importProgressMs) continue;
      reportedMs = performance.now();
      while (writing[0]?.isWritten) await settleOldest();
      yield { ...progress };
    }
  } finally {
    await source.return?.(undefined);
  }
  while (writing.length > 0) await settleOldest();
  yield { ...progress, done: true };
  return undefined;
}

function failedAt(documents: number, thrown: unknown): HostError {
  const error = HostError.from(thrown);
  return new HostError(
    error.reason,
    `Document ${documents + 1} of the import: ${error.message.replace(/[.]?$/, ".")} The ${documents} preceding documents were written. Correct the document and resume with skip=${documents}.`,
    {
      metadata: { ...error.metadata, documents: String(documents) },
      cause: error.cause,
    },
  );
}

const linkOf = (body: string) =>
  /"documentSelfLink"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(body)?.[1] ?? "";

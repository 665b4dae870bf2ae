import { existsSync } from "node:fs";
import { join } from "node:path";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import type {
  ChainContent,
  Engine,
  EngineOptions,
  IndexCheck,
  IndexState,
  LogAround,
  SegmentContent,
  Snapshot,
  SweepResult,
} from "../engine.js";
import { createCopier, type Copier } from "./copier.js";
import type { CopyCall } from "./copy-worker.js";
import type { ReaderAnswer, ReaderCall } from "./reader.js";
import { toVersion } from "../../segment/row.js";
import { databaseName } from "./schema.js";
import { runBuild } from "./run-build.js";
import { rowsWorthSharing, type Half } from "../../segment/segment-file.js";
import { storeReads } from "./store-reads.js";
import { startWorker, type WorkerClient } from "../../io/worker-client.js";
import { createWriteQueue } from "./write-queue.js";
import type { WriterAnswer, WriterCall } from "./writer-worker.js";
import type { WriteOutcome, WriterOptions } from "./writer.js";

type ReaderClient = WorkerClient<ReaderCall, ReaderAnswer>;

/** Opens the index in a directory: a writer thread, a thread for reads of single documents, and one for scans. */
export async function openSqliteEngine(directory: string, options: EngineOptions): Promise<Engine> {
  const path = join(directory, databaseName);
  if (!existsSync(path)) {
    throw new HostError(
      "INDEX_DAMAGED",
      `The index ${path} is missing; put it back, or restore a backup into a new data directory.`,
    );
  }
  // A connection that closes last folds the write-ahead log back and removes it.
  const wasClosed = !existsSync(`${path}-wal`);
  const writerLost = (cause?: unknown) =>
    new HostError(
      "OUTCOME_UNKNOWN",
      `The thread that writes ${path} ended; what was on its way may or may not be there after a restart.`,
      { cause },
    );
  const readerLost = (cause?: unknown) =>
    new HostError("INDEX_CLOSED", `The index ${path} was closed while it was read; ask again.`, {
      cause,
    });
  const writerOptions: WriterOptions = {
    path,
    durable: options.durable,
    minTimeMicros: options.minTimeMicros,
  };
  const writer = await startWorker<WriterCall, WriterAnswer>(
    "engine/sqlite/writer-worker",
    writerOptions,
    writerLost,
  );
  const startReader = () =>
    startWorker<ReaderCall, ReaderAnswer>("engine/sqlite/reader-worker", { path }, readerLost, {
      maxYoungGenerationSizeMb: limits.readerYoungGenerationMiB,
    });
  const reader = await startReader();
  let scanner: Promise<ReaderClient> | undefined;
  const scannerClient = () => (scanner ??= startReader());
  const copier = createCopier();
  const secondCopier = createCopier();
  const backgroundCopier = createCopier();
  const chainCopier = createCopier();
  let pins = 0;
  let reads = 0;

  const queue = createWriteQueue(
    (writes) =>
      writer.call({ kind: "commit", nowMicros: options.nowMicros(), writes }) as Promise<
        WriteOutcome[]
      >,
  );

  async function read(
    client: ReaderClient | Promise<ReaderClient>,
    call: ReaderCall,
  ): Promise<ReaderAnswer> {
    if (reads >= limits.readQueue)
      throw new HostError(
        "QUEUE_FULL",
        "More reads wait than the host holds; try again in a moment.",
      );
    reads += 1;
    try {
      return await (await client).call(call);
    } finally {
      reads -= 1;
    }
  }

  return {
    async write(write) {
      const outcome = await queue.add(write);
      if ("error" in outcome) throw HostError.fromRecord(outcome.error);
      return "row" in outcome ? toVersion(outcome.row) : undefined;
    },
    ...storeReads({
      read: (call) => read(reader, call),
      scan: (call) => read(scannerClient(), call),
      nowMicros: options.nowMicros,
    }),
    holds: async (mark) => (await read(reader, { kind: "holds", mark })) as boolean,
    around: async (timeMicros, count) =>
      (await read(scannerClient(), { kind: "around", timeMicros, count })) as LogAround,
    async snapshot(): Promise<Snapshot> {
      // Pinned before the position is read, so that no prune gets in between; writes after it get later times.
      pins += 1;
      try {
        const { wallTimeMicros } = (await writer.call({
          kind: "pin",
          nowMicros: options.nowMicros(),
        })) as { wallTimeMicros: number };
        const at = (await read(reader, { kind: "state", nowMicros: wallTimeMicros })) as IndexState;
        return {
          ...at,
          wallTimeMicros: Math.max(wallTimeMicros, at.positionMicros),
          release: once(() => (pins -= 1)),
        };
      } catch (error) {
        pins -= 1;
        throw error;
      }
    },
    async exportSegment({
      snapshot,
      kind,
      afterMicros,
      upToMicros,
      background,
      path: target,
      signal,
      onProgress,
    }): Promise<SegmentContent> {
      const task = {
        kind,
        indexPath: path,
        path: target,
        firstMicros: afterMicros,
        lastMicros: upToMicros ?? snapshot.positionMicros,
      };
      return (await (background ? backgroundCopier : copier).call(
        { kind: "export", task },
        signal,
        onProgress,
      )) as SegmentContent;
    },
    async readBack(segment, signal, background) {
      const call = (by: Copier, what: CopyCall) =>
        by.call(what, signal).catch((error: unknown) => {
          if (!(error instanceof HostError) || error.reason !== "BACKUP_DAMAGED") throw error;
          throw new HostError(
            "INDEX_DAMAGED",
            `What was copied out of ${path} does not read back sound, so no backup was made of it: a row or a key index of it, or the disk, is bad. Older backups are as they were. ${error.message}`,
            { cause: error },
          );
        });
      const read = (by: Copier, half?: Half) =>
        call(by, { kind: "read-back", segment, ...(half && { half }) });
      // A delta is read with a base that other backups have read: alone it promises nothing of all versions together.
      const chain = async (by: Copier) =>
        segment.kind === "base"
          ? ((await call(by, { kind: "chain", segment })) as ChainContent)
          : undefined;
      if (background || segment.records < rowsWorthSharing) {
        const by = background ? backgroundCopier : copier;
        await read(by);
        return chain(by);
      }
      const parts = await Promise.allSettled([
        read(copier, "first"),
        read(secondCopier, "second"),
        chain(chainCopier),
      ] as const);
      for (const part of parts) if (part.status === "rejected") throw part.reason;
      return parts[2].status === "fulfilled" ? parts[2].value : undefined;
    },
    check: async (signal, onProgress) =>
      (await runBuild({ kind: "check-index", path }, directory, {
        signal,
        onProgress: ({ rows }) => onProgress?.(rows),
      })) as IndexCheck,
    wasClosed,
    async sweep() {
      const { retainedVersions, historyMicros } = options;
      const call = { mayPrune: pins === 0, retainedVersions, historyMicros };
      return (await writer.call({
        kind: "sweep",
        nowMicros: options.nowMicros(),
        options: call,
      })) as SweepResult;
    },
    async close() {
      await queue.drained();
      await Promise.all([
        copier.close(),
        secondCopier.close(),
        backgroundCopier.close(),
        chainCopier.close(),
      ]);
      await Promise.all([reader.close(), scanner?.then((client) => client.close())]);
      // Last: the connection that closes last folds the write-ahead log back into the database.
      await writer.close();
    },
  };
}

function once(action: () => void): () => Promise<void> {
  let done = false;
  return async () => {
    if (!done) action();
    done = true;
  };
}

import { join } from "node:path";
import { sqliteEngine } from "../engine/sqlite/storage-engine.js";
import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { durableIndexLink, inMemoryIndexLink } from "../service/documents/factories.js";
import { openDocumentIndex, type DocumentIndex } from "../store/document-index.js";
import { memoryParent, openMemoryDirectory } from "../store/memory-directory.js";
import type { HostContext } from "./context.js";

/** The document indexes of a host. */
export interface Storage {
  /** By link. */
  readonly indexes: ReadonlyMap<string, DocumentIndex>;
  readonly durableIndex: DocumentIndex;
  /** INDEX_NOT_FOUND for an unknown link. */
  indexOf(link: string): DocumentIndex;
  /** The ids of the indexes as they are now. */
  ownIndexIds(): string[];
}

/** First stage: opens the indexes, and expires and compacts them as long as the host runs. */
export async function openStorage(context: HostContext): Promise<Storage> {
  const indexes = await openIndexes(context);
  const indexOf = (link: string): DocumentIndex => {
    const index = indexes.get(link);
    if (index) return index;
    throw new HostError("INDEX_NOT_FOUND", `Index ${link} not found`, { metadata: { link } });
  };
  sweepIndexes(context, [...indexes.values()]);
  return {
    indexes,
    indexOf,
    durableIndex: indexOf(durableIndexLink),
    ownIndexIds: () => [...indexes.values()].map((index) => index.indexId()),
  };
}

async function openIndexes(context: HostContext): Promise<Map<string, DocumentIndex>> {
  const { options, directory, lifecycle } = context;
  const { files } = options.platform;
  const memory = await openMemoryDirectory(files, await memoryParent(files));
  lifecycle.onClose(() => memory.remove());
  const inMemory = [inMemoryIndexLink, ...options.memoryIndexes];
  // Side by side, since each starts threads. If one fails, the others are open by the time that is thrown, and are closed.
  const opened = await Promise.allSettled([
    openIndex(context, durableIndexLink, directory.index, false),
    ...inMemory.map((link, i) => openIndex(context, link, join(memory.path, `index-${i}`), true)),
  ]);
  return new Map(
    opened.map((each) => {
      if (each.status === "rejected") throw each.reason;
      return [each.value.link, each.value];
    }),
  );
}

async function openIndex(
  { options, hostId, events, lifecycle, onInternalError }: HostContext,
  link: string,
  directory: string,
  inMemory: boolean,
): Promise<DocumentIndex> {
  const { platform, retainedVersions, historyMs } = options;
  const index = await openDocumentIndex(platform, sqliteEngine, {
    link,
    inMemory,
    directory,
    ...(inMemory && { indexId: `${hostId}${link}` }),
    engine: {
      nowMicros: platform.nowMicros,
      retainedVersions,
      historyMicros: historyMs * 1000,
      durable: !inMemory,
    },
    onBackgroundError: onInternalError,
    ...(!inMemory && { onCommit: () => void events.emit("committed") }),
  });
  lifecycle.onClose(() => index.close());
  return index;
}

/** Expires and compacts in bounded steps. */
function sweepIndexes(
  { lifecycle, onInternalError }: HostContext,
  indexes: readonly DocumentIndex[],
): void {
  let stopped = false;
  let running: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    running = running
      .then(async () => {
        for (const index of indexes) if (!stopped) await index.sweep();
      })
      .catch(onInternalError);
  }, limits.compactionIntervalMs);
  lifecycle.onClose(async () => {
    stopped = true;
    clearInterval(timer);
    await running;
  });
}

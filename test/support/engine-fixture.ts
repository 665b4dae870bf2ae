import { join } from "node:path";
import type { DocumentWrite } from "../../src/document/document.js";
import type {
  Engine,
  EngineOptions,
  GenerationRef,
  IndexStorage,
  OpenIndexOptions,
  SegmentSource,
  StorageEngine,
} from "../../src/engine/engine.js";
import type { StorageEngineOptions } from "../../src/engine/registry.js";
import { systemPlatform } from "../../src/io/platform.js";
import { temporaryDirectory } from "./temporary-directory.js";

export const identity = { indexId: "index-1", lineage: "lineage-1", parents: [] };
export const prefix = "/core/examples/";

/** A clock that a test sets, in microseconds. */
export interface TestClock {
  micros: number;
}

export function post(
  name: string,
  body: object | string = { name },
  more: Partial<DocumentWrite> = {},
): DocumentWrite {
  return {
    action: "POST",
    link: `${prefix}${name}`,
    kind: "test:kind",
    owner: "host-1",
    body: typeof body === "string" ? body : JSON.stringify(body),
    mergeRule: "shallow",
    ...more,
  };
}
export const patch = (name: string, body: object | string, more: Partial<DocumentWrite> = {}) =>
  post(name, body, { action: "PATCH", ...more });
export const remove = (name: string, more: Partial<DocumentWrite> = {}) =>
  post(name, "", { action: "DELETE", ...more });

const opened = new Set<{ close(): Promise<void> }>();
const engines = new Set<() => Promise<void> | undefined>();
afterEach(async () => {
  for (const each of opened) await each.close();
  opened.clear();
  for (const close of engines) await close();
  engines.clear();
});

/** Creates a storage engine that keeps its files, if any, in directories of the test. */
export type OpenStorageEngine = (options: StorageEngineOptions) => StorageEngine;

/** A separate index, with functions to close, reopen and restore it. */
export async function engineFixture(
  openStorageEngine: OpenStorageEngine,
  more: Partial<EngineOptions> = {},
) {
  const root = temporaryDirectory();
  const clock: TestClock = { micros: 1_000_000_000 };
  const platform = { ...systemPlatform, nowMicros: () => clock.micros };
  const storageEngine = openStorageEngine({ platform, directoryOf: () => join(root, "index") });
  if (storageEngine.close) engines.add(() => storageEngine.close?.());
  const backgroundErrors: unknown[] = [];
  const options: OpenIndexOptions = {
    link: "/core/document-index",
    indexId: identity.indexId,
    onBackgroundError: (error) => backgroundErrors.push(error),
    durable: true,
    nowMicros: platform.nowMicros,
    retainedVersions: 1000,
    historyMicros: 0,
    ...more,
  };
  const track = <T extends { close(): Promise<void> }>(closable: T): T => {
    opened.add(closable);
    return closable;
  };
  const close = async (closable: { close(): Promise<void> }) => {
    opened.delete(closable);
    await closable.close();
  };
  let storage = await storageEngine.openIndex(options);
  let engine = track(await storage.openLive());
  const signal = new AbortController().signal;
  return {
    root,
    clock,
    backgroundErrors,
    get engine(): Engine {
      return engine;
    },
    get storage(): IndexStorage {
      return storage;
    },
    /** Closes the index like a stopping host and opens it like a starting one. */
    async reopen() {
      await close(engine);
      storage = await storageEngine.openIndex(options);
      engine = track(await storage.openLive());
      await storage.removeLeftovers();
      return engine;
    },
    /** Fences the live generation and switches to another one, like a restore. */
    async switchTo(ref: GenerationRef) {
      const old = engine;
      const { lastTimeMicros } = await old.fence();
      engine = track(await storage.switchTo(ref, lastTimeMicros));
      await close(old);
      await storage.discardReplaced();
      return engine;
    },
    async exportSegment(
      name: string,
      kind: "base" | "delta" = "base",
      afterMicros = 0,
    ): Promise<SegmentSource> {
      const snapshot = await engine.snapshot();
      try {
        const path = join(root, name);
        return {
          ...(await engine.exportSegment({ snapshot, kind, afterMicros, path, signal })),
          path,
        };
      } finally {
        await snapshot.release();
      }
    },
    /** Builds a temporary index from the segments and opens it. */
    async build(
      segments: SegmentSource[],
      targetTimeMicros?: number,
      buildSignal = signal,
    ): Promise<Engine> {
      const index = await storageEngine.openTemporary({
        directory: root,
        segments,
        identity,
        signal: buildSignal,
        ...(targetTimeMicros !== undefined && { targetTimeMicros }),
      });
      return track(index).engine;
    },
  };
}

/** All live documents with a link prefix, by link, with versions and bodies. */
export async function contents(
  engine: Engine,
): Promise<Record<string, { version: number; body: string; time: number }>> {
  const all: Record<string, { version: number; body: string; time: number }> = {};
  let cursor: string | undefined;
  do {
    const page = await engine.page({
      linkPrefix: prefix,
      limit: 1000,
      expand: true,
      ...(cursor !== undefined && { cursor }),
    });
    for (const { link, version, body, updateTimeMicros } of page.documents)
      all[link] = { version, body, time: updateTimeMicros };
    cursor = page.cursor;
  } while (cursor !== undefined);
  return all;
}

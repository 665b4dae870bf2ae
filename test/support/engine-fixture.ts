import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { DocumentWrite } from "../../src/document/document.js";
import type {
  Engine,
  StorageEngine,
  EngineOptions,
  SegmentSource,
} from "../../src/engine/engine.js";
import { temporaryDirectory } from "./temporary-directory.js";

export const identity = { indexId: "index-1", lineage: "lineage-1", parents: [] };
export const prefix = "/core/examples/";

/** A clock that a test sets; micros. */
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

const opened = new Set<Engine>();
afterEach(async () => {
  for (const engine of opened) await engine.close();
  opened.clear();
});

/** An index in a directory of its own, and the means to close and open it again. */
export async function engineFixture(
  storageEngine: StorageEngine,
  more: Partial<EngineOptions> = {},
) {
  const root = temporaryDirectory();
  const clock: TestClock = { micros: 1_000_000_000 };
  const options: EngineOptions = {
    durable: true,
    minTimeMicros: 0,
    nowMicros: () => clock.micros,
    retainedVersions: 1000,
    historyMicros: 0,
    ...more,
  };
  const directory = join(root, "index");
  mkdirSync(directory);
  await storageEngine.create(directory, identity);
  const open = async (path: string, changed: Partial<EngineOptions> = {}) => {
    const engine = await storageEngine.open(path, { ...options, ...changed });
    opened.add(engine);
    return engine;
  };
  const close = async (engine: Engine) => {
    opened.delete(engine);
    await engine.close();
  };
  let engine = await open(directory);
  return {
    root,
    directory,
    clock,
    get engine(): Engine {
      return engine;
    },
    async reopen(changed: Partial<EngineOptions> = {}) {
      await close(engine);
      engine = await open(directory, changed);
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
          ...(await engine.exportSegment({
            snapshot,
            kind,
            afterMicros,
            path,
            signal: new AbortController().signal,
          })),
          path,
        };
      } finally {
        await snapshot.release();
      }
    },
    /** Makes an index of the segments and opens it. */
    async build(segments: SegmentSource[], targetTimeMicros?: number): Promise<Engine> {
      const target = join(root, `built-${Math.random().toString(36).slice(2)}`);
      mkdirSync(target);
      const signal = new AbortController().signal;
      await storageEngine.build({
        directory: target,
        segments,
        identity,
        signal,
        ...(targetTimeMicros !== undefined && { targetTimeMicros }),
      });
      return open(target);
    },
  };
}

/** All live documents below the prefix, by link, with their versions and bodies. */
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

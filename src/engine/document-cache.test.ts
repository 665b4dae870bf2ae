import fc from "fast-check";
import type { DocumentVersion } from "../document/document.js";
import { limits } from "../limits.js";
import { DocumentCache } from "./document-cache.js";

const versionOf = (
  link: string,
  version: number,
  more: Partial<DocumentVersion> = {},
): DocumentVersion => ({
  link,
  version,
  updateTimeMicros: version + 1,
  action: "PUT",
  kind: "k",
  owner: "o",
  expirationTimeMicros: 0,
  body: "{}",
  ...more,
});

/** Storage whose reads and writes take turns that a test chooses. */
function slowStorage() {
  const current = new Map([
    ["a", 0],
    ["b", 0],
  ]);
  const steps: (() => void)[] = [];
  const inTurn = () => new Promise<void>((resolve) => void steps.push(resolve));
  return {
    current,
    /** Lets one of the calls go on, and what follows of it. */
    async step(which: number) {
      const [next] = steps.splice(which % Math.max(1, steps.length), 1);
      next?.();
      for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
      return steps.length;
    },
    async read(link: string) {
      await inTurn();
      const version = current.get(link);
      await inTurn();
      return version === undefined ? undefined : versionOf(link, version);
    },
    async write(link: string) {
      await inTurn();
      const version = (current.get(link) ?? -1) + 1;
      current.set(link, version);
      await inTurn();
      return versionOf(link, version);
    },
  };
}

test("a read sees each write that had ended before it began, however calls are interleaved", async () => {
  const calls = fc.array(
    fc.record({ kind: fc.constantFrom("read", "write"), link: fc.constantFrom("a", "a", "b") }),
    { minLength: 2, maxLength: 14 },
  );
  await fc.assert(
    fc.asyncProperty(calls, fc.array(fc.nat(9), { maxLength: 80 }), async (given, turns) => {
      const storage = slowStorage();
      const cache = new DocumentCache();
      /** The newest version whose write, or whose sight by a reader, has ended. */
      const seen = new Map<string, number>();
      const problems: string[] = [];
      const running: Promise<void>[] = [];
      const see = (link: string, version: number) =>
        seen.set(link, Math.max(version, seen.get(link) ?? -1));
      const queue = [...given];
      const begin = async () => {
        const call = queue.shift();
        if (!call) return;
        const { kind, link } = call;
        const least = seen.get(link) ?? -1;
        if (kind === "write") {
          const written = await cache.write(link, () => storage.write(link));
          see(link, written?.version ?? -1);
          return;
        }
        const found = await cache.read(link, () => storage.read(link));
        if ((found?.version ?? -1) < least)
          problems.push(`${link}: read ${found?.version}, after ${least} was seen`);
        see(link, found?.version ?? -1);
      };
      for (const turn of turns) {
        if (turn % 3 === 0) running.push(begin());
        else await storage.step(turn);
      }
      while (queue.length > 0) running.push(begin());
      while ((await storage.step(0)) > 0);
      await storage.step(0);
      await Promise.all(running);
      expect(problems).toEqual([]);
    }),
    { numRuns: 10_000 },
  );
});

describe("what is kept", () => {
  const keep = async (cache: DocumentCache, version: DocumentVersion) =>
    cache.read(version.link, async () => version);
  const isKept = async (cache: DocumentCache, link: string) => {
    let asked = false;
    await cache.read(link, async () => {
      asked = true;
      return undefined;
    });
    return !asked;
  };

  test("documents that were read, and their next versions, but not what was only written", async () => {
    const cache = new DocumentCache();
    await cache.write("/new", async () => versionOf("/new", 0));
    expect(await isKept(cache, "/new")).toBe(false);
    await keep(cache, versionOf("/a", 0));
    await cache.write("/a", async () => versionOf("/a", 1));
    expect(await cache.read("/a", async () => undefined)).toMatchObject({ version: 1 });
  });

  test("the lately read ones within the space, none that is large or expires", async () => {
    const cache = new DocumentCache({ maxBytes: 4_000 });
    for (const link of ["/a", "/b", "/c"])
      await keep(cache, versionOf(link, 0, { body: "x".repeat(300) }));
    await keep(cache, versionOf("/a", 0));
    await keep(cache, versionOf("/d", 0, { body: "x".repeat(300) }));
    expect(await Promise.all(["/a", "/b", "/d"].map((link) => isKept(cache, link)))).toEqual([
      true,
      false,
      true,
    ]);
    const large = new DocumentCache();
    await keep(large, versionOf("/l", 0, { body: "x".repeat(limits.cachedDocumentBytes) }));
    await keep(large, versionOf("/e", 0, { expirationTimeMicros: 5 }));
    expect(await isKept(large, "/l")).toBe(false);
    expect(await isKept(large, "/e")).toBe(false);
  });

  test("nothing of two writes at once: the last to end may not be the latest", async () => {
    const cache = new DocumentCache();
    await keep(cache, versionOf("/a", 0));
    const ends: (() => void)[] = [];
    const writes = [1, 2].map((version) =>
      cache.write("/a", async () => {
        await new Promise<void>((resolve) => void ends.push(resolve));
        return versionOf("/a", version);
      }),
    );
    for (const end of ends.reverse()) {
      end();
      await new Promise((resolve) => setTimeout(resolve));
    }
    await Promise.all(writes);
    expect(await isKept(cache, "/a")).toBe(false);
  });

  test("nothing of a write that failed, or that changed nothing", async () => {
    const cache = new DocumentCache();
    await keep(cache, versionOf("/a", 0));
    await expect(cache.write("/a", () => Promise.reject(new Error("lost")))).rejects.toThrow();
    expect(await isKept(cache, "/a")).toBe(false);
    await keep(cache, versionOf("/a", 1));
    await cache.write("/a", async () => undefined);
    expect(await isKept(cache, "/a")).toBe(false);
  });
});

import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Destination, PutOptions } from "../../src/destination/destination.js";
import { fetchObject, readBack, readObject } from "../../src/destination/objects.js";
import { systemPlatform } from "../../src/io/platform.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

export interface ObjectsUnderTest {
  /** An empty destination. */
  open(): Promise<Destination>;
  /** A valid object name. */
  name: string;
}

const { signal } = new AbortController();

function optionsFor(bytes: Uint8Array, more: Partial<PutOptions> = {}): PutOptions {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { signal, sizeBytes: bytes.length, sha256, ...more };
}

async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** The guarantees documented on Destination, as far as its capabilities include them. */
export function objectContract(what: string, { open, name }: ObjectsUnderTest): void {
  describe(`objects of ${what}`, () => {
    let destination: Destination;
    const large = randomBytes(2_500_000);
    beforeEach(async () => {
      destination = await open();
    });
    afterEach(() => destination.close());

    const put = (bytes: Uint8Array, more: Partial<PutOptions> = {}, object = name) =>
      destination.put(object, { bytes }, optionsFor(bytes, more));
    const get = (more = {}, object = name) => bytesOf(destination.get(object, { signal, ...more }));

    test("returns the stored bytes, whole and in ranges", async () => {
      await put(large);
      expect((await get()).equals(large)).toBe(true);
      for (const [offset, end] of [
        [0, 1],
        [1_000_000, 2_000_000],
        [2_499_999, 2_500_000],
      ] as const)
        expect((await get({ offset, end })).equals(large.subarray(offset, end))).toBe(true);
      expect((await get({ offset: 2_400_000 })).equals(large.subarray(2_400_000))).toBe(true);
      await readBack(destination, name, optionsFor(large), signal);
    });

    test("stores a staged file", async () => {
      const lock = await destination.lock(undefined, signal);
      const staging = await destination.stage({ lock });
      const path = join(staging.directory, "object");
      writeFileSync(path, large);
      await destination.put(name, { path }, optionsFor(large));
      await staging.close();
      await lock.release();
      expect((await get()).equals(large)).toBe(true);
    });

    test("replaces an object", async () => {
      await put(Buffer.from("before, and longer"));
      await put(Buffer.from("after"));
      expect((await get()).toString()).toBe("after");
    });

    test("reports a difference on reading back as damage", async () => {
      await put(Buffer.from("stored"));
      for (const other of ["Stored", "stored, and more", "store"])
        await expect(
          readBack(destination, name, optionsFor(Buffer.from(other)), signal),
        ).rejects.toMatchObject({ reason: "BACKUP_DAMAGED" });
      await expect(readObject(destination, name, 5, signal)).rejects.toMatchObject({
        reason: "BACKUP_DAMAGED",
      });
      expect((await readObject(destination, name, 6, signal)).toString()).toBe("stored");
    });

    test("copies an object into a file", async () => {
      await put(large);
      const path = join(temporaryDirectory(), "copy");
      const progress: number[] = [];
      await fetchObject(systemPlatform, destination, name, path, {
        signal,
        maxBytes: large.length,
        onBytes: (done) => progress.push(done),
      });
      expect(readFileSync(path).equals(large)).toBe(true);
      expect(progress.at(-1)).toBe(large.length);
    });

    test("releases its resources when a reader stops early", async () => {
      await put(large);
      for await (const chunk of destination.get(name, { signal })) {
        expect(chunk.length).toBeGreaterThan(0);
        break;
      }
      expect((await get({ end: 3 })).equals(large.subarray(0, 3))).toBe(true);
    });

    test("a lock blocks the next one until its release", async () => {
      const first = await destination.lock(undefined, signal);
      let got = false;
      const second = destination.lock(undefined, new AbortController().signal).then((lock) => {
        got = true;
        return lock;
      });
      await first.assertHeld();
      expect(got).toBe(false);
      await first.release();
      await (await second).release();
    });

    test("reports names without an object", async () => {
      const error = await get().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        reason: expect.stringMatching(/BACKUP_NOT_FOUND|DESTINATION_REFUSED/) as string,
      });
      expect(await destination.stat(name, signal)).toBeUndefined();
    });

    test("lists and removes objects, or reports the missing capability", async () => {
      const { list, remove } = destination.capabilities;
      const names = async () => {
        const found: string[] = [];
        for await (const entry of destination.list({ signal })) found.push(entry.name);
        return found;
      };
      const lock = await destination.lock(undefined, signal);
      const removal = (wanted: string[]) => destination.remove(wanted, { signal, lock });
      try {
        if (!list) {
          await expect(names()).rejects.toMatchObject({
            reason: "NOT_SUPPORTED",
            metadata: { capability: "list" },
          });
        }
        if (!remove) {
          await expect(removal([name])).rejects.toMatchObject({
            reason: "NOT_SUPPORTED",
            metadata: { capability: "remove" },
          });
        }
        if (!list || !remove) return;
        for (const object of ["b", "a", "c"]) await put(Buffer.from(object), {}, object);
        const own = async () => (await names()).filter((each) => !each.startsWith(".holdfast-"));
        expect(await own()).toEqual(["a", "b", "c"]);
        await removal(["a", "missing", "c"]);
        expect(await own()).toEqual(["b"]);
        for await (const entry of destination.list({ signal, details: true }))
          if (entry.name === "b") expect(entry).toMatchObject({ kind: "object", sizeBytes: 1 });
      } finally {
        await lock.release();
      }
    });

    test("a conditional put replaces only the named version", async () => {
      if (!destination.capabilities.conditionalPut) return;
      await put(Buffer.from("first"), { ifVersion: null });
      const occupied = { reason: "DESTINATION_OCCUPIED" };
      await expect(put(Buffer.from("x"), { ifVersion: null })).rejects.toMatchObject(occupied);
      const { version } = (await destination.stat(name, signal)) ?? { version: "" };
      await put(Buffer.from("second"), { ifVersion: version });
      await expect(put(Buffer.from("x"), { ifVersion: version })).rejects.toMatchObject(occupied);
      expect((await get()).toString()).toBe("second");
    });

    test("removes abandoned staging areas, and keeps notes and staging areas in use", async () => {
      const { list } = destination.capabilities;
      if (!list || !destination.localPath) return;
      const note = ".holdfast-pending-x.json";
      await put(Buffer.from("[]"), { durable: false }, note);
      const inUse = await destination.stage({});
      const other = await open();
      const lock = await destination.lock(undefined, signal);
      const abandoned = destination.localPath(".holdfast-staging-0123");
      mkdirSync(abandoned);
      await destination.removeAbandoned(undefined, lock);
      await lock.release();
      const left: string[] = [];
      for await (const entry of destination.list({ signal })) left.push(entry.name);
      expect(left).toEqual([expect.stringMatching(/^\.holdfast-merge-/), note]);
      await inUse.close();
      await other.close();
    });
  });
}

import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { basename } from "node:path";
import fc from "fast-check";
import { eventually } from "../support/eventually.js";
import { json, localFiles, octets } from "../support/local-files.js";
import { long } from "../support/long.js";
import { makeZip } from "../support/make-zip.js";
import { systemPlatform } from "../../src/io/platform.js";

const files = localFiles();
const { path, create, put, get, leftovers, restart } = files;

describe("an archive", () => {
  const zip = (fill: string, names = ["a", "b", "c"]) =>
    makeZip(names.map((name, i) => ({ name, data: Buffer.from(fill.repeat(200).slice(i)) })));
  const parts = (bytes: Buffer, count: number) =>
    Array.from(
      { length: count },
      (_, i) =>
        [
          Math.floor((bytes.length * i) / count),
          Math.floor((bytes.length * (i + 1)) / count),
        ] as const,
    ).map(([start, end]) => ({
      range: `bytes ${start}-${end}/${bytes.length}`,
      body: bytes.subarray(start, end),
    }));
  const send = (part: { range: string; body: Buffer } | undefined) =>
    put("up", part?.range, part?.body ?? "");
  beforeEach(() => create("up"));

  test("mixed from two uploads is not published, and fails for all waiting senders", async () => {
    const [yesterday, first, second] = [zip("A"), zip("X"), zip("Y")];
    expect((await put("up", undefined, yesterday)).status).toBe(200);
    const [, , cut] = parts(first, 3);
    const [one, two, three] = parts(second, 3);
    expect((await send(cut)).status).toBe(200);
    expect((await send(one)).status).toBe(200);
    const completing = send(two);
    await eventually(
      () =>
        files.host.fileStore.get("/local-files/up").upload?.complete === false &&
        files.host.fileStore.get("/local-files/up").upload?.received.length === 1,
    );
    const waiting = send(three);
    for (const answer of [await completing, await waiting]) {
      expect(answer.status).toBe(409);
      expect(json(answer.text)["message"]).toMatch(/not a valid ZIP .*parts of two uploads/);
    }
    expect(readFileSync(path("up.zip")).equals(yesterday)).toBe(true);
    expect(leftovers()).toEqual([]);
    for (const part of parts(second, 3)) expect((await send(part)).status).toBe(200);
    expect(readFileSync(path("up.zip")).equals(second)).toBe(true);
  });

  test("that is truncated is rejected also as one body, and an empty one is accepted", async () => {
    const bytes = zip("A");
    expect((await put("up", undefined, bytes.subarray(0, -1))).status).toBe(409);
    expect(existsSync(path("up.zip"))).toBe(false);
    expect((await put("up", undefined, makeZip([]))).status).toBe(200);
  });

  test("is verified against its digest, and parts with another digest belong to another file", async () => {
    const [bytes, other] = [zip("A"), zip("B")];
    const digest = (of: Buffer) => ({
      ...octets,
      "repr-digest": `md5=:AAAA:, sha-256=:${createHash("sha256").update(of).digest("base64")}:`,
    });
    const sendAs = (part: { range: string; body: Buffer } | undefined, of: Buffer) =>
      files.host.call("PUT", "/local-files/up", part?.body, {
        ...digest(of),
        "content-range": part?.range ?? "",
      });
    const [one, two] = parts(bytes, 2);
    expect((await sendAs(one, bytes)).status).toBe(200);
    expect((await sendAs(parts(other, 2)[1], other)).status).toBe(400);
    expect((await sendAs(two, bytes)).status).toBe(200);
    expect(readFileSync(path("up.zip")).equals(bytes)).toBe(true);
    const wrong = await files.host.call(
      "PUT",
      "/local-files/up",
      Buffer.from("no ZIP"),
      digest(bytes),
    );
    expect(wrong.status).toBe(409);
    expect(json(wrong.text)["message"]).toMatch(/Repr-Digest/);
    expect(readFileSync(path("up.zip")).equals(bytes)).toBe(true);
  });

  test("is released during the check when its service is deleted", async () => {
    const zeros = Buffer.alloc(100_000_000);
    const slow = makeZip(
      Array.from({ length: 300 }, (_, i) => ({ name: `n${i}`, data: zeros, deflated: true })),
    );
    const sent = put("up", undefined, slow);
    await eventually(() => leftovers().some((name) => statSync(path(name)).size === slow.length));
    // Time for the check to start.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const begun = performance.now();
    expect((await files.host.call("DELETE", "/local-files/up")).status).toBe(200);
    expect((await sent).status).toBe(409);
    // A complete check would take more than 20 s.
    expect(performance.now() - begun).toBeLessThan(10_000);
    expect(existsSync(path("up.zip"))).toBe(false);
    expect(leftovers()).toEqual([]);
  }, 60_000);

  test("reports the check with 102 Processing on request, and joins a sender that repeats the last part", async () => {
    const zeros = Buffer.alloc(100_000_000);
    const member = { data: zeros, deflated: true };
    const bytes = makeZip(Array.from({ length: 60 }, (_, i) => ({ ...member, name: `n${i}` })));
    const [one, two] = parts(bytes, 2);
    await send(one);
    let notices = 0;
    const patient = new Promise<number>((resolve, reject) => {
      const headers = {
        ...octets,
        prefer: "processing",
        "content-range": two?.range,
        "content-length": two?.body.length,
      };
      const request = httpRequest(
        {
          host: "127.0.0.1",
          port: files.host.port,
          method: "PUT",
          path: "/local-files/up",
          headers,
        },
        (response) => resolve(response.resume().statusCode ?? 0),
      );
      request.on("information", () => (notices += 1));
      request.on("error", reject);
      request.end(two?.body);
    });
    // The point of the check at which the last part is repeated.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const repeated = await send(two);
    expect(await patient).toBe(200);
    expect(repeated.status).toBe(200);
    expect(json(repeated.text)).toMatchObject({ complete: true, totalBytes: bytes.length });
    expect(notices).toBeGreaterThan(0);
    expect(
      (await files.host.call("PATCH", "/local-files/up", { writeFinished: true })).status,
    ).toBe(200);
    expect(leftovers()).toEqual([]);
  }, 60_000);

  test("with the size and some parts of the last one replaces it, even if parts of both are repeated", async () => {
    // Long timeouts, so that a slow machine does not abandon an upload.
    await restart({ pace: { takeoverMs: 60_000, idleMs: 3600_000, sweepMs: 3600_000 } });
    const letters = fc.array(fc.constantFrom("A", "B"), { minLength: 3, maxLength: 3 });
    const orders = fc.record({
      count: fc.integer({ min: 1, max: 6 }),
      order: fc.infiniteStream(fc.nat(1000)),
      again: fc.array(fc.nat(20), { maxLength: 3 }),
      between: fc.array(fc.nat(20), { maxLength: 3 }),
    });
    const make = (fills: string[]) =>
      makeZip(fills.map((fill, i) => ({ name: `n${i}`, data: Buffer.from(fill.repeat(100)) })));
    let nth = 0;
    await fc.assert(
      fc.asyncProperty(
        letters,
        letters,
        orders,
        async (before, after, { count, order, again, between }) => {
          const link = `pair-${(nth += 1)}`;
          await create(link);
          const good = async (part: { range: string; body: Buffer } | undefined) =>
            part && expect((await put(link, part.range, part.body)).status).toBe(200);
          for (const bytes of [make(before), make(after)]) {
            const all = parts(bytes, count);
            const mixed = all
              .map((part) => [order.next().value, part] as const)
              .sort(([a], [b]) => a - b)
              .map(([, part]) => part);
            const last = mixed.pop();
            for (const part of mixed) await good(part);
            for (const i of between) await good(mixed[i]);
            await good(last);
            expect(readFileSync(path(`${link}.zip`)).equals(bytes)).toBe(true);
            for (const i of again) await good(all[i]);
            expect(json((await get(link)).text)).toMatchObject({
              complete: true,
              totalBytes: bytes.length,
            });
          }
        },
      ),
      { numRuns: long ? 25 : 8, endOnFailure: true },
    );
  }, 120_000);

  test("is not abandoned during a long check", async () => {
    const { files } = systemPlatform;
    const takeoverMs = 500;
    const openToRead = async (name: string) => {
      // The check opens the partial upload, and takes longer than the timeout of an upload.
      if (basename(name).startsWith(".upload-"))
        await new Promise((resolve) => setTimeout(resolve, takeoverMs * 1.5));
      return files.openToRead(name);
    };
    await restart({
      platform: { ...systemPlatform, files: { ...files, openToRead } },
      pace: { takeoverMs, idleMs: 3600_000, sweepMs: 3600_000 },
    });
    const make = (fill: string) =>
      makeZip([1, 2].map((i) => ({ name: `n${i}`, data: Buffer.from(fill.repeat(100)) })));
    const [before, after] = [parts(make("A"), 3), parts(make("B"), 3)];
    await create("pair");
    const good = async (part: { range: string; body: Buffer } | undefined) =>
      part && expect((await put("pair", part.range, part.body)).status).toBe(200);
    for (const part of before) await good(part);
    // With this part, the file seems complete before its own first part has arrived.
    await good(before[0]);
    await good(after[1]);
    await good(after[2]);
    await good(after[1]);
    await good(after[0]);
    expect(readFileSync(path("pair.zip")).equals(make("B"))).toBe(true);
  });

  test("keeps a part common to both files when a part of the old file is repeated before it", async () => {
    const make = (fills: string) =>
      makeZip(
        [...fills].map((fill, i) => ({ name: `n${i}`, data: Buffer.from(fill.repeat(100)) })),
      );
    const [before, after] = [make("AAA"), make("ABB")];
    await create("pair");
    const send = async (part: { range: string; body: Buffer } | undefined) =>
      part && expect((await put("pair", part.range, part.body)).status).toBe(200);
    for (const part of parts(before, 6)) await send(part);
    await send(parts(before, 6)[2]);
    for (const i of [0, 5, 1, 3, 4, 2]) await send(parts(after, 6)[i]);
    expect(readFileSync(path("pair.zip")).equals(after)).toBe(true);
  });
});

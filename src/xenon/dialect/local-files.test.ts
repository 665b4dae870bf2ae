import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import fc from "fast-check";
import { eventually } from "../../../test/support/eventually.js";
import { json, localFiles, octets } from "../../../test/support/local-files.js";
import { limits } from "../../limits.js";

const files = localFiles();
const { path, post, create, put, get, received, read, leftovers, begin, restart } = files;

describe("a file service", () => {
  test("has Xenon's fields in the same order", async () => {
    const made = await create("up");
    expect(made.status).toBe(200);
    expect(made.text.replace(/\d{16}/, "MICROS")).toBe(
      `{"localFileUri":"file:${path("up.zip")}","fileOptions":["WRITE","CREATE"],"writeFinished":false,"documentVersion":0,` +
        `"documentKind":"com:vmware:xenon:services:common:LocalFileService:LocalFileServiceState","documentSelfLink":"/local-files/up","documentUpdateTimeMicros":MICROS,"documentExpirationTimeMicros":0}`,
    );
    expect(made.rawHeaders.filter((_, i) => i % 2 === 0)).toEqual([
      "content-type",
      "content-length",
      "connection",
      "x-content-type-options",
    ]);
    expect(existsSync(path("up.zip"))).toBe(false);

    await put("up", "bytes 0-5/5", "hello");
    const state = (await get("up")).text;
    expect(state).toContain('"documentVersion":1,');
    expect(state).toContain('"documentUpdateAction":"PUT","documentExpirationTimeMicros":0,');
    expect(json(state)).toMatchObject({
      complete: true,
      totalBytes: 5,
      receivedRanges: [{ first: 0, last: 4 }],
    });
  });

  test("defaults to no options and a generated name, and accepts a full link", async () => {
    const plain = json((await post({ localFileUri: `file://${path("x.zip")}` })).text);
    expect(plain).toMatchObject({
      fileOptions: [],
      documentSelfLink: expect.stringMatching(/^\/local-files\/[0-9a-f-]{36}$/) as unknown,
    });
    expect(
      json(
        (
          await post({
            documentSelfLink: "/local-files/down",
            localFileUri: `file:${path("x.zip")}`,
          })
        ).text,
      )["documentSelfLink"],
    ).toBe("/local-files/down");
  });

  test("is listed by the factory", async () => {
    await create("b");
    await create("a");
    const list = json((await files.host.call("GET", "/local-files")).text);
    expect(list).toMatchObject({
      documentLinks: ["/local-files/a", "/local-files/b"],
      documentCount: 2,
      documentOwner: "host-1",
    });
    expect(list["documents"]).toBeUndefined();
    expect(
      json((await files.host.call("GET", "/local-files?$expand=*")).text)["documents"],
    ).toMatchObject({ "/local-files/a": { writeFinished: false } });
    expect((await files.host.call("GET", "/local-files?$filter=a")).status).toBe(400);
    expect((await files.host.call("GET", "/local-files/available")).status).toBe(200);
  });

  test.each([
    ["no URI", { documentSelfLink: "bad" }, 400, "file scheme uri is required"],
    ["an http URI", { localFileUri: "http://h/x" }, 400, "file scheme uri is required"],
    ["a path that is no URI", { localFileUri: "/x/y" }, 400, "file scheme uri is required"],
    ["a relative URI", { localFileUri: "file:x" }, 400, /not absolute/],
    [
      "an unknown option",
      { localFileUri: "file:/x", fileOptions: ["WRITE", "SHOUT"] },
      400,
      /SHOUT/,
    ],
    [
      "an unsupported option",
      { localFileUri: "file:/x", fileOptions: ["WRITE", "APPEND"] },
      400,
      /APPEND/,
    ],
    [
      "options that are not a list",
      { localFileUri: "file:/x", fileOptions: "WRITE" },
      400,
      /list of names/,
    ],
    ["an invalid link", { localFileUri: "file:/x", documentSelfLink: "a/../b" }, 400, /segment/],
  ])("rejects %s", async (_, body, status, message) => {
    const answer = await post(body);
    expect({ status: answer.status, ...json(answer.text) }).toMatchObject({
      status,
      statusCode: status,
      message: typeof message === "string" ? message : (expect.stringMatching(message) as unknown),
      documentKind: "com:vmware:xenon:common:ServiceErrorResponse",
      errorCode: 0,
    });
    expect(json((await files.host.call("GET", "/local-files")).text)["documentCount"]).toBe(0);
  });

  test("rejects a link in use, an unsupported method, an endless body and malformed JSON", async () => {
    await create("up");
    const taken = await create("up");
    expect(taken.status).toBe(409);
    expect(json(taken.text)["errorCode"]).toBe(-2147483645);
    expect((await files.host.call("POST", "/local-files/up", {})).status).toBe(405);
    expect((await files.host.call("DELETE", "/local-files")).headers["allow"]).toBe(
      "GET, HEAD, POST",
    );
    expect((await post({ localFileUri: `file:/${"x".repeat(70_000)}` })).status).toBe(413);
    expect(
      (
        await files.host.call("POST", "/local-files", "localFileUri=x", {
          "content-type": "application/x-www-form-urlencoded",
        })
      ).status,
    ).toBe(400);
    expect((await files.host.call("POST", "/local-files", "{", {})).status).toBe(400);
  });

  test("exists between its creation and deletion; its file remains", async () => {
    const unknown = await put("up", "bytes 0-5/5", "hello");
    expect(unknown.status).toBe(404);
    expect(json(unknown.text)).toMatchObject({
      message: `Service not found: http://127.0.0.1:${files.host.port}/local-files/up`,
    });
    await create("up");
    await put("up", undefined, "hello");
    await put("up", "bytes 0-3/9", "par");
    const deleted = await files.host.call("DELETE", "/local-files/up");
    expect(deleted.status).toBe(200);
    expect(json(deleted.text)["documentUpdateAction"]).toBe("DELETE");
    expect((await get("up")).status).toBe(404);
    expect(read("up")).toBe("hello");
    expect(leftovers()).toEqual([]);
    expect((await create("up")).status).toBe(200);
  });

  test("rejects uploads after writeFinished until it is reset", async () => {
    await create("up");
    await put("up", "bytes 0-4/9", "half");
    const patch = (body: object) => files.host.call("PATCH", "/local-files/up", body);
    const early = await patch({ writeFinished: true });
    expect(early.status).toBe(400);
    expect(json(early.text)["message"]).toMatch(/4 of 9 bytes/);
    await put("up", "bytes 4-9/9", "whole");
    expect(json((await patch({ writeFinished: true })).text)).toMatchObject({
      writeFinished: true,
      localFileUri: `file:${path("up.zip")}`,
      documentUpdateAction: "PATCH",
    });
    const refused = await put("up", "bytes 0-5/5", "hello");
    expect(refused.status).toBe(400);
    expect(json(refused.text)["message"]).toBe("writeFinished is set to true");
    expect(read("up")).toBe("halfwhole");
    expect((await patch({ writeFinished: "yes" })).status).toBe(400);
    await patch({ writeFinished: false });
    expect((await put("up", "bytes 0-5/5", "hello")).status).toBe(200);
    expect(read("up")).toBe("hello");
  });
});

describe("an upload", () => {
  test("produces the same file from ranges in any order, repeated and concurrent", async () => {
    const pieces = fc.record({
      size: fc.integer({ min: 1, max: 5000 }),
      cuts: fc.array(fc.nat(4999), { maxLength: 20 }),
      again: fc.array(fc.nat(20), { maxLength: 5 }),
      order: fc.infiniteStream(fc.nat(1000)),
      exclusive: fc.boolean(),
    });
    await create("any");
    let nth = 0;
    await fc.assert(
      fc.asyncProperty(pieces, async ({ size, cuts, again, order, exclusive }) => {
        const whole = Buffer.from(
          Array.from({ length: size }, (_, i) => (i * 31 + (nth += 1)) & 255),
        );
        const edges = [...new Set([0, ...cuts.filter((at) => at < size), size])].sort(
          (a, b) => a - b,
        );
        const parts = edges.slice(0, -1).map((start, i) => ({ start, end: edges[i + 1] ?? size }));
        // Every part may be sent twice except the last one, after which a new upload would start.
        const first = parts
          .map((part) => [order.next().value, part] as const)
          .sort(([a], [b]) => a - b)
          .map(([, part]) => part);
        const last = first.pop();
        const send = async ({ start, end }: { start: number; end: number }) =>
          expect(
            (
              await put(
                "any",
                `bytes ${start}-${exclusive ? end : end - 1}/${size}`,
                whole.subarray(start, end),
              )
            ).status,
          ).toBe(200);
        for (let i = 0; i < first.length; i += 4)
          await Promise.all(first.slice(i, i + 4).map(send));
        for (const i of again) if (first[i]) await send(first[i]);
        if (last) await send(last);
        expect(readFileSync(path("any.zip")).equals(whole)).toBe(true);
        expect(leftovers()).toEqual([]);
      }),
      { numRuns: 25, endOnFailure: true },
    );
  });

  test("without a range is the whole file, with or without a length", async () => {
    await create("up");
    expect((await put("up", undefined, "a longer one")).status).toBe(200);
    expect(
      (
        await files.host.call("PUT", "/local-files/up", Buffer.from("short"), {
          ...octets,
          "transfer-encoding": "chunked",
        })
      ).status,
    ).toBe(200);
    expect(read("up")).toBe("short");
  });

  test("of undeclared length must match its range", async () => {
    await create("up");
    const chunked = (range: string, body: string) =>
      files.host.call("PUT", "/local-files/up", Buffer.from(body), {
        ...octets,
        "content-range": range,
        "transfer-encoding": "chunked",
      });
    expect((await chunked("bytes 0-3/8", "too much of it")).status).toBe(400);
    expect((await chunked("bytes 0-3/8", "no")).status).toBe(400);
    expect(await received("up")).toEqual([]);
    expect((await chunked("bytes 0-3/8", "four")).status).toBe(200);
    expect((await chunked("bytes 4-8/8", "more")).status).toBe(200);
    expect(read("up")).toBe("fourmore");
  });

  test("leaves the file unchanged until the last byte, and replaces a longer file", async () => {
    await create("up");
    await put("up", undefined, "the backup from yesterday");
    await put("up", "bytes 3-6/6", "DEF");
    expect(read("up")).toBe("the backup from yesterday");
    expect((await get("up", "bytes=4-9")).text).toBe("backup");
    expect(json((await get("up")).text)).toMatchObject({
      complete: false,
      totalBytes: 6,
      receivedRanges: [{ first: 3, last: 5 }],
    });
    await put("up", "bytes 0-3/6", "abc");
    expect(read("up")).toBe("abcDEF");
    expect(leftovers()).toEqual([]);
  });

  test("with wrong headers is rejected without writing anything", async () => {
    await create("up");
    await put("up", "bytes 0-5/10", "01234");
    const lies: [string, string][] = [
      ["bytes 0-5/11", "01234"],
      ["bytes 5-12/10", "5678901"],
      ["bytes 5-12/12", "5678901"],
      ["bytes 3-8/10", "XXXXX"],
      ["bytes 0-5/10", "0123X"],
      ["bytes 9-5/10", "5678"],
      ["bytes -1-5/10", "567890"],
      ["bytes 5-9/10", "56"],
      ["bytes 5-9/*", "56789"],
    ];
    for (const [range, body] of lies) {
      const answer = await put("up", range, body);
      expect({
        range,
        client: answer.status >= 400 && answer.status < 500,
        code: json(answer.text)["statusCode"],
      }).toEqual({ range, client: true, code: answer.status });
      expect(await received("up")).toEqual([{ first: 0, last: 4 }]);
    }
    expect(
      (
        await files.host.call(
          "PUT",
          "/local-files/up",
          { a: 1 },
          { "content-range": "bytes 5-12/10" },
        )
      ).status,
    ).toBe(400);
    expect((await put("up", "bytes 3-10/10", "3456789")).status).toBe(200);
    expect(read("up")).toBe("0123456789");
  });

  test("ignores an interrupted part and can be resumed", async () => {
    await create("up");
    await put("up", "bytes 0-3/9", "abc");
    const cut = begin("up", "bytes 3-8/9", 6, "def");
    await eventually(() => leftovers().some((name) => readFileSync(path(name)).length >= 6));
    cut.request.destroy();
    await eventually(
      () => files.host.fileStore.get("/local-files/up").upload?.received.length === 1,
    );
    expect(await received("up")).toEqual([{ first: 0, last: 2 }]);
    expect((await put("up", "bytes 3-8/9", "DEFGHI")).status).toBe(200);
    expect(read("up")).toBe("abcDEFGHI");
  });

  test("leaves no file behind if only an interrupted part was received", async () => {
    await create("up");
    const cut = begin("up", "bytes 3-8/9", 6, "def");
    await eventually(() => leftovers().length > 0);
    cut.request.destroy();
    await eventually(() => leftovers().length === 0);
    expect((await put("up", "bytes 0-3/3", "abc")).status).toBe(200);
  });

  test("rejects overlapping senders, and lets a retry of the same range take over", async () => {
    await create("up");
    const slow = begin("up", "bytes 0-5/10", 6, "abc");
    await eventually(() => leftovers().length > 0);
    const overlapping = await put("up", "bytes 3-9/10", "DEFGHIJ");
    expect(overlapping.status).toBe(409);
    expect(json(overlapping.text)["message"]).toMatch(/Another request/);
    expect((await put("up", "bytes 0-5/10", "ABCDEF")).status).toBe(200);
    expect(await slow.answer).not.toBe(200);
    expect((await put("up", "bytes 6-9/10", "GHIJ")).status).toBe(200);
    expect(read("up")).toBe("ABCDEFGHIJ");
  });

  test("that was abandoned is replaced by another one after the timeout, not before", async () => {
    await create("up");
    await put("up", "bytes 0-5/10", "01234");
    expect((await put("up", "bytes 0-4/8", "abcd")).status).toBe(400);
    // Every pause is longer than the timeout after which an upload is abandoned.
    await new Promise((resolve) => setTimeout(resolve, 350));
    // The rest of the same file is still accepted, but a repeated part starts another upload.
    expect((await put("up", "bytes 8-10/10", "89")).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 350));
    expect((await put("up", "bytes 0-5/10", "ABCDE")).status).toBe(200);
    expect(await received("up")).toEqual([{ first: 0, last: 4 }]);
    await new Promise((resolve) => setTimeout(resolve, 350));
    expect((await put("up", "bytes 0-4/8", "abcd")).status).toBe(200);
    expect((await put("up", "bytes 4-8/8", "efgh")).status).toBe(200);
    expect(read("up")).toBe("abcdefgh");
    expect(leftovers()).toEqual([]);
  });

  test("is removed when it stays idle", async () => {
    await restart({ pace: { takeoverMs: 50, idleMs: 200, sweepMs: 50 } });
    await create("up");
    await put("up", "bytes 0-5/10", "01234");
    expect(leftovers()).toHaveLength(1);
    await eventually(() => leftovers().length === 0);
    expect(json((await get("up")).text)).toMatchObject({ complete: false, receivedRanges: [] });
  });

  test("replaces the upload that has been idle longest when the limit is reached", async () => {
    const pace = { takeoverMs: 3600_000, idleMs: 3600_000, sweepMs: 3600_000 };
    await restart({ pace });
    for (let i = 0; i <= limits.fileUploads; i += 1) await create(`n${i}`);
    for (let i = 0; i < limits.fileUploads; i += 1) await put(`n${i}`, "bytes 0-1/2", "a");
    await put("n0", "bytes 0-1/2", "a");
    const last = () => put(`n${limits.fileUploads}`, "bytes 0-1/2", "a");
    expect((await last()).status).toBe(429);
    expect(leftovers()).toHaveLength(limits.fileUploads);
    pace.takeoverMs = 1;
    // Longer than that timeout.
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect((await last()).status).toBe(200);
    expect(leftovers()).toHaveLength(limits.fileUploads);
    expect(await received("n0")).toEqual([{ first: 0, last: 0 }]);
    expect(await received("n1")).toEqual([]);
    expect(await received("n2")).toEqual([{ first: 0, last: 0 }]);
  });

  test("to the same link replaces the file each time, also with the same size", async () => {
    await create("up");
    for (const body of ["first.one!", "second-one", "third"]) {
      await put("up", `bytes 4-${body.length}/${body.length}`, body.slice(4));
      await put("up", `bytes 0-4/${body.length}`, body.slice(0, 4));
      expect(read("up")).toBe(body);
    }
  });

  test("accepts an empty part after the end before, during and after an upload, without effect", async () => {
    await create("up");
    const empty = async () => expect((await put("up", "bytes 9-9/9", "")).status).toBe(200);
    await empty();
    await put("up", "bytes 4-9/9", "whole");
    await empty();
    expect(json((await get("up")).text)).toMatchObject({ complete: false });
    await put("up", "bytes 0-4/9", "half");
    await empty();
    expect(read("up")).toBe("halfwhole");
    expect(json((await get("up")).text)).toMatchObject({ complete: true, totalBytes: 9 });
    expect(leftovers()).toEqual([]);
    await files.host.call("PATCH", "/local-files/up", { writeFinished: true });
    expect((await put("up", "bytes 9-9/9", "")).status).toBe(400);
    expect((await put("none", "bytes 9-9/9", "")).status).toBe(404);
  });

  test("without bytes creates an empty file", async () => {
    await create("up");
    expect((await put("up", "bytes 0-0/0", "")).status).toBe(200);
    expect(read("up")).toBe("");
    expect((await get("up", "bytes=0-9")).status).toBe(416);
  });

  test("larger than the free disk space is rejected at once", async () => {
    await create("up");
    const answer = await put("up", "bytes 0-5/900000000000000", "01234");
    expect(answer.status).toBe(507);
    expect(leftovers()).toEqual([]);
  });
});

describe("a part repeated after the last one", () => {
  const state = async () => json((await get("up")).text);
  beforeEach(async () => {
    await create("up");
    expect((await put("up", "bytes 0-4/9", "half")).status).toBe(200);
    expect((await put("up", "bytes 4-9/9", "whole")).status).toBe(200);
  });

  test("has no effect: the file stays complete and can be finished", async () => {
    const again = await put("up", "bytes 4-9/9", "whole");
    expect(again.status).toBe(200);
    expect(json(again.text)).toMatchObject({ complete: true, receivedBytes: 9 });
    const whole = { complete: true, totalBytes: 9, receivedRanges: [{ first: 0, last: 8 }] };
    expect(await state()).toMatchObject(whole);
    const finished = await files.host.call("PATCH", "/local-files/up", { writeFinished: true });
    expect(finished.status).toBe(200);
    expect(json(finished.text)).toMatchObject({ writeFinished: true, ...whole });
    expect(read("up")).toBe("halfwhole");
    expect(leftovers()).toEqual([]);
  });

  test("does not block another file of any size", async () => {
    await put("up", "bytes 4-9/9", "whole");
    expect((await put("up", "bytes 0-5/10", "01234")).status).toBe(200);
    expect((await put("up", "bytes 5-10/10", "56789")).status).toBe(200);
    await put("up", "bytes 5-10/10", "56789");
    expect((await put("up", "bytes 0-10/10", "ABCDEFGHIJ")).status).toBe(200);
    expect(read("up")).toBe("ABCDEFGHIJ");
    expect(leftovers()).toEqual([]);
  });

  test("may be followed by a new file with common parts", async () => {
    for (const [range, body] of [
      ["bytes 0-4/9", "half"],
      ["bytes 4-9/9", "whole"],
    ] as const)
      expect((await put("up", range, body)).status).toBe(200);
    expect(await state()).toMatchObject({ complete: true, totalBytes: 9 });
    expect((await put("up", "bytes 4-9/9", "WHOLE")).status).toBe(200);
    expect(read("up")).toBe("halfWHOLE");
    expect(leftovers()).toEqual([]);
  });

  test("is dropped when it stays idle", async () => {
    await restart({ pace: { takeoverMs: 50, idleMs: 200, sweepMs: 50 } });
    await create("up");
    writeFileSync(path("up.zip"), "");
    await put("up", undefined, "halfwhole");
    await put("up", "bytes 4-9/9", "whole");
    expect(leftovers()).toHaveLength(1);
    await eventually(() => leftovers().length === 0);
    expect(await state()).toMatchObject({ complete: true, totalBytes: 9 });
  });
});

describe("the target file", () => {
  test.each([
    [["WRITE"], false, 400],
    [["WRITE"], true, 200],
    [["WRITE", "CREATE"], false, 200],
    [["WRITE", "CREATE_NEW"], false, 200],
    [["WRITE", "CREATE_NEW"], true, 400],
    [["WRITE", "TRUNCATE_EXISTING", "SYNC"], true, 200],
    [["READ"], true, 400],
    [[], true, 400],
  ])(
    "with %j (exists: %s) is opened at the first PUT with status %d",
    async (options, there, status) => {
      if (there) writeFileSync(path("up.zip"), "");
      expect((await create("up", options)).status).toBe(200);
      expect((await put("up", undefined, "x")).status).toBe(status);
      expect(existsSync(path("up.zip"))).toBe(there || status === 200);
      if (there && status !== 200) expect(read("up")).toBe("");
    },
  );

  test("is not replaced if it was not uploaded or is not a regular file", async () => {
    writeFileSync(path("up.zip"), "an unrelated file");
    mkdirSync(path("dir.zip"));
    await create("up");
    await create("dir");
    await create("gone/far");
    expect((await put("up", undefined, "x")).status).toBe(400);
    expect(read("up")).toBe("an unrelated file");
    expect((await put("dir", undefined, "x")).status).toBe(400);
    expect((await put("gone/far", undefined, "x")).status).toBe(400);
    expect(leftovers()).toEqual([]);
  });

  test("is checked again before it is replaced", async () => {
    await create("up");
    await put("up", "bytes 0-2/4", "ab");
    writeFileSync(path("up.zip"), "an unrelated file");
    expect((await put("up", "bytes 2-4/4", "cd")).status).toBe(400);
    expect(read("up")).toBe("an unrelated file");
    expect(leftovers()).toEqual([]);
  });

  test("must be in a root after resolving symbolic links, at each use, and never in the data directory", async () => {
    mkdirSync(path("in"));
    mkdirSync(path("out"));
    writeFileSync(path("out/secret"), "secret");
    await restart({ fileRoot: path("in") });
    const make = (link: string, where: string) =>
      post({
        documentSelfLink: link,
        localFileUri: `file:${where}`,
        fileOptions: ["WRITE", "CREATE"],
      });
    expect((await make("a", path("out/x.zip"))).status).toBe(403);
    expect((await make("a", `${path("in")}/../out/x.zip`)).status).toBe(403);
    expect((await make("a", path("in/x.zip"))).status).toBe(200);
    symlinkSync(path("out/secret"), path("in/x.zip"));
    expect((await get("a", "bytes=0-9")).status).toBe(403);
    expect((await put("a", undefined, "x")).status).toBe(403);
    expect(readFileSync(path("out/secret"), "utf8")).toBe("secret");
  });
});

describe("reading", () => {
  beforeEach(async () => {
    await create("up");
    await put("up", undefined, "0123456789");
  });

  test.each([
    ["bytes=0-3", "0123", "bytes 0-3/10"],
    ["bytes=7-", "789", "bytes 7-9/10"],
    ["bytes=-2", "89", "bytes 8-9/10"],
    ["bytes=8-99999999", "89", "bytes 8-9/10"],
    ["bytes=9-10", "9", "bytes 9-9/10"],
  ])("returns %s", async (range, text, contentRange) => {
    const answer = await get("up", range);
    expect(answer).toMatchObject({
      status: 206,
      text,
      headers: {
        "content-range": contentRange,
        "content-type": "application/octet-stream",
        "content-length": String(text.length),
        "accept-ranges": "bytes",
      },
    });
  });

  test("accepts Xenon's request with an empty JSON body and returns all bytes per RFC 9110", async () => {
    await put("up", undefined, "x".repeat(600_000));
    const answer = await get("up", "bytes=0-524288", {
      "content-type": "application/json",
      "content-length": "0",
    });
    expect(answer.status).toBe(206);
    expect(answer.text).toHaveLength(524289);
    expect(answer.headers["content-range"]).toBe("bytes 0-524288/600000");
  });

  test("rejects missing files and ranges", async () => {
    const beyond = await get("up", "bytes=10-11");
    expect(beyond.status).toBe(416);
    expect(beyond.headers["content-range"]).toBe("bytes */10");
    expect(json(beyond.text)["statusCode"]).toBe(416);
    await create("none");
    expect((await get("none", "bytes=0-1")).status).toBe(404);
    expect((await get("unknown", "bytes=0-1")).status).toBe(404);
  });

  test("returns the whole file for a range of another version or an invalid range", async () => {
    const { headers } = await get("up", "bytes=0-1");
    const etag = headers.etag ?? "";
    expect((await get("up", "bytes=0-1", { "if-range": etag })).text).toBe("01");
    expect((await get("up", "bytes=0-1", { "if-none-match": etag })).status).toBe(304);
    await put("up", undefined, "abcdefghij");
    expect(await get("up", "bytes=0-1", { "if-range": etag })).toMatchObject({
      status: 200,
      text: "abcdefghij",
    });
    expect((await get("up", "bytes=0-1", { "if-match": etag })).status).toBe(412);
    expect(await get("up", "bytes=0-1,3-4")).toMatchObject({ status: 200, text: "abcdefghij" });
  });

  test("supports HEAD for the state and the file", async () => {
    expect(await files.host.call("HEAD", "/local-files/up")).toMatchObject({
      status: 200,
      text: "",
      headers: { "content-type": "application/json" },
    });
    expect(
      await files.host.call("HEAD", "/local-files/up", undefined, { range: "bytes=0-" }),
    ).toMatchObject({
      status: 200,
      text: "",
      headers: { "content-length": "10", "content-type": "application/octet-stream" },
    });
  });
});

test("accepts ranges with numbers beyond the size of any file", async () => {
  await create("up");
  await put("up", undefined, "0123456789");
  const huge = "9".repeat(20);
  expect(await get("up", `bytes=0-${huge}`)).toMatchObject({ status: 206, text: "0123456789" });
  expect(await get("up", `bytes=-${huge}`)).toMatchObject({ status: 206, text: "0123456789" });
  expect(await get("up", `bytes=${huge}-`)).toMatchObject({
    status: 416,
    headers: { "content-range": "bytes */10" },
  });
});

test("aborts a body that stops arriving", async () => {
  await restart({ idleMs: 200 });
  await create("up");
  const silent = begin("up", "bytes 0-5/10", 6, "abc");
  expect(await silent.answer).not.toBe(200);
  await eventually(() => leftovers().length === 0);
});

test("requires the role files for writing, reading and listing", async () => {
  await restart({ tokens: ["f files", "b backup", "r restore", "d read", "w write"].join("\n") });
  const as = (
    token: string,
    method: string,
    where: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ) => files.host.call(method, where, body, { authorization: `Bearer ${token}`, ...headers });
  const service = {
    documentSelfLink: "up",
    localFileUri: `file:${path("up.zip")}`,
    fileOptions: ["WRITE", "CREATE"],
  };
  for (const token of ["b", "r", "d", "w"]) {
    expect((await as(token, "POST", "/local-files", service)).status).toBe(403);
  }
  expect((await files.host.call("POST", "/local-files", service)).status).toBe(401);
  expect((await as("f", "POST", "/local-files", service)).status).toBe(200);
  const statuses = async (token: string) => [
    (await as(token, "GET", "/local-files")).status,
    (await as(token, "GET", "/local-files/up")).status,
    (await as(token, "GET", "/local-files/up", undefined, { range: "bytes=0-1" })).status,
    (await as(token, "PUT", "/local-files/up", Buffer.from("x"), octets)).status,
    (await as(token, "PATCH", "/local-files/up", { writeFinished: false })).status,
  ];
  expect(await statuses("f")).toEqual([200, 200, 404, 200, 200]);
  for (const token of ["b", "r", "d", "w"])
    expect(await statuses(token)).toEqual([403, 403, 403, 403, 403]);
  expect((await as("b", "DELETE", "/local-files/up")).status).toBe(403);
});

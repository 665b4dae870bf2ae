import { startDialectHost, type DialectHost } from "../../../test/support/dialect-host.js";

let host: DialectHost;
beforeEach(async () => {
  host = await startDialectHost();
});
afterEach(() => host.server.close(0));

const failure = (answer: { text: string }) =>
  JSON.parse(answer.text) as { message: string; statusCode: number; errorCode: number };

describe("documents with Xenon's responses", () => {
  test("POST responds 200 with the document, three headers and an ETag", async () => {
    const answer = await host.call("POST", "/core/examples", {
      name: "one",
      documentSelfLink: "one",
      keyValues: { k: "v" },
      tags: ["t"],
      counter: 3,
    });
    expect(answer.status).toBe(200);
    expect(answer.rawHeaders).toEqual([
      "content-type",
      "application/json",
      "content-length",
      String(Buffer.byteLength(answer.text)),
      "connection",
      "keep-alive",
      "x-content-type-options",
      "nosniff",
      "etag",
      '"0"',
    ]);
    expect(answer.text).toMatch(
      /^\{"keyValues":\{"k":"v"\},"counter":3,"name":"one","tags":\["t"\],"isFromMigration":false,"documentVersion":0,"documentEpoch":0,"documentKind":"com:vmware:xenon:services:common:ExampleService:ExampleServiceState","documentSelfLink":"\/core\/examples\/one","documentUpdateTimeMicros":\d{16},"documentUpdateAction":"POST","documentExpirationTimeMicros":0,"documentOwner":"host-1"\}$/,
    );
    expect((await host.call("GET", "/core/examples/one")).text).toBe(answer.text);
  });

  test("PATCH merges, PUT replaces, DELETE returns the last state and then nothing", async () => {
    await host.call("POST", "/core/examples", { name: "one", documentSelfLink: "one", counter: 3 });
    expect(
      (await host.call("PATCH", "/core/examples/one", { counter: "5", documentVersion: 9 })).text,
    ).toMatch(/"counter":5,"name":"one".*"documentVersion":1,.*"PATCH"/);
    expect((await host.call("PUT", "/core/examples/one", { name: "put" })).text).toMatch(
      /^\{"keyValues":\{\},"name":"put","tags":\[\],"documentVersion":2/,
    );
    const deleted = await host.call("DELETE", "/core/examples/one");
    expect(deleted.text).toMatch(
      /"name":"put".*"documentVersion":3,.*"documentUpdateAction":"DELETE"/,
    );
    const again = await host.call("DELETE", "/core/examples/one");
    expect(again.status).toBe(200);
    expect(again.text).toBe("");
    expect(again.headers["content-type"]).toBe("application/json");
    expect(again.headers["content-length"]).toBe("0");
  });

  test("a trailing slash is ignored, and deleting a document that never existed succeeds, as in Xenon", async () => {
    await host.call("POST", "/core/examples", { name: "one", documentSelfLink: "one" });
    expect((await host.call("GET", "/core/examples/one/")).text).toBe(
      (await host.call("GET", "/core/examples/one")).text,
    );
    const deleted = await host.call("DELETE", "/core/examples/missing");
    expect(deleted.status).toBe(200);
    expect(deleted.text).toBe("");
    expect(
      (await host.call("DELETE", "/core/examples/missing", undefined, { "if-match": '"0"' }))
        .status,
    ).not.toBe(200);
  });

  test("errors have Xenon's messages, codes and statuses", async () => {
    const at = `http://127.0.0.1:${host.port}`;
    const expectError = async (
      method: string,
      path: string,
      body: unknown,
      status: number,
      message: string,
      errorCode: number,
    ) => {
      const answer = await host.call(method, path, body);
      expect(answer.text).toBe(
        JSON.stringify({
          message,
          statusCode: status,
          documentKind: "com:vmware:xenon:common:ServiceErrorResponse",
          errorCode,
        }),
      );
      expect(answer.status).toBe(status);
    };
    await host.call("POST", "/core/examples", { name: "one", documentSelfLink: "one" });
    await expectError(
      "GET",
      "/core/examples/missing",
      undefined,
      404,
      `Service not found: ${at}/core/examples/missing`,
      -2147483648,
    );
    await expectError(
      "GET",
      "/nowhere?x=1",
      undefined,
      404,
      `Service not found: ${at}/nowhere`,
      -2147483648,
    );
    await expectError(
      "POST",
      "/core/examples",
      { name: "a", documentSelfLink: "/core/examples/one" },
      409,
      "Service already started: /core/examples/one stage: CREATED",
      -2147483645,
    );
    await expectError("POST", "/core/examples", {}, 400, "name is required", 0);
    await expectError("POST", "/core/examples", "", 400, "name is required", 0);
    await expectError("PUT", "/core/examples/one", { counter: 1 }, 400, "name must be set", 0);
    await expectError("PATCH", "/core/examples/one", undefined, 400, "body is required", 0);
    await expectError(
      "POST",
      "/core/examples/one",
      { name: "a" },
      405,
      "Action not supported: POST",
      0,
    );
    await expectError(
      "DELETE",
      "/core/examples",
      undefined,
      405,
      "Action not supported: DELETE",
      0,
    );
    await host.call("DELETE", "/core/examples/one");
    await expectError(
      "GET",
      "/core/examples/one",
      undefined,
      404,
      `Service not found: ${at}/core/examples/one`,
      -2147483646,
    );
    await expectError(
      "PATCH",
      "/core/examples/one",
      { name: "z" },
      404,
      `Service not found: ${at}/core/examples/one`,
      -2147483646,
    );
    await expectError(
      "POST",
      "/core/examples",
      { name: "a", documentSelfLink: "one" },
      409,
      "Service marked deleted: /core/examples/one",
      -2147483646,
    );
    expect(failure(await host.call("POST", "/core/examples", "{nope")).message).toMatch(
      /^Unparseable JSON body: /,
    );
  });

  test("xn-force-index-update revives a deleted document as its next version", async () => {
    await host.call("POST", "/core/examples", { name: "one", documentSelfLink: "one" });
    await host.call("DELETE", "/core/examples/one");
    const answer = await host.call(
      "POST",
      "/core/examples",
      { name: "back", documentSelfLink: "one" },
      { pragma: "xn-force-index-update" },
    );
    expect(answer.text).toMatch(/"name":"back".*"documentVersion":2/);
  });

  test("numbers that JavaScript cannot represent are preserved", async () => {
    const body = '{"big":9007199254740993,"money":1.10,"deep":{"e":1E400},"text":"é\\u00e9"}';
    await host.call("POST", "/things", `${body.slice(0, -1)},"documentSelfLink":"n"}`);
    expect(
      (await host.call("GET", "/things/n")).text.startsWith(
        `${body.slice(0, -1)},"documentVersion":0`,
      ),
    ).toBe(true);
  });

  test("an expiration time is set by POST and PUT, kept by a PATCH with 0, and validated", async () => {
    const expiry = async (method: string, path: string, body: unknown) =>
      /"documentExpirationTimeMicros":(\d+)/.exec((await host.call(method, path, body)).text)?.[1];
    expect(
      await expiry("POST", "/things", {
        documentSelfLink: "x",
        documentExpirationTimeMicros: 9e15,
      }),
    ).toBe("9000000000000000");
    expect(await expiry("PATCH", "/things/x", { documentExpirationTimeMicros: 0, a: 1 })).toBe(
      "9000000000000000",
    );
    expect(
      await expiry("PATCH", "/things/x", { documentExpirationTimeMicros: "8000000000000000" }),
    ).toBe("8000000000000000");
    expect(await expiry("PUT", "/things/x", { a: 1 })).toBe("0");
    for (const bad of [-1, 1.5, "soon", 2 ** 60]) {
      expect(
        (await host.call("PUT", "/things/x", { documentExpirationTimeMicros: bad })).status,
      ).toBe(400);
    }
  });

  test("an index returns old and deleted versions", async () => {
    await host.call("POST", "/core/in-memory-examples", { name: "old", documentSelfLink: "m" });
    await host.call("PUT", "/core/in-memory-examples/m", { name: "new" });
    await host.call("DELETE", "/core/in-memory-examples/m");
    const version = (query: string) =>
      host.call(
        "GET",
        `/core/in-memory-document-index?documentSelfLink=/core/in-memory-examples/m${query}`,
      );
    expect((await version("&documentVersion=0")).text).toContain('"name":"old"');
    expect((await version("")).text).toContain('"documentUpdateAction":"DELETE"');
    expect((await version("&documentVersion=9")).status).toBe(404);
    expect((await version("&documentVersion=x")).status).toBe(400);
    expect((await host.call("GET", "/core/document-index")).status).toBe(400);
  });

  test("a factory is available", async () => {
    const answer = await host.call("GET", "/core/examples/available");
    expect(answer.status).toBe(200);
    expect(answer.text).toBe("");
  });

  test("a factory has utility services, unless a document has the same link", async () => {
    const get = async (path: string) =>
      JSON.parse((await host.call("GET", path)).text) as Record<string, unknown>;
    expect(await get("/core/examples/config")).toMatchObject({
      childOptions: ["PERSISTENCE", "CONCURRENT_GET_HANDLING"],
      peerNodeSelectorPath: "/core/node-selectors/default",
    });
    expect(await get("/core/in-memory-examples/config")).toMatchObject({
      childOptions: ["CONCURRENT_GET_HANDLING"],
    });
    expect(await get("/core/examples/stats")).toMatchObject({
      entries: { isAvailable: { latestValue: 1 } },
      documentSelfLink: "/core/examples/stats",
    });
    // Used by Xenon's migration as the page size for all versions; "no limit" would disable pages.
    expect((await host.call("GET", "/core/examples/one/template")).status).toBe(404);
    await host.call("POST", "/core/examples", { name: "one", documentSelfLink: "one" });
    expect((await host.call("GET", "/core/examples/config?documentVersion=7")).status).toBe(404);
    expect(await get("/core/examples/one/template")).toMatchObject({
      documentDescription: { versionRetentionLimit: 2_147_483_646 },
    });
    expect((await host.call("GET", "/core/examples/one/config")).status).toBe(404);
    await host.call("POST", "/core/examples", { name: "mine", documentSelfLink: "config" });
    expect(await get("/core/examples/config")).toMatchObject({ name: "mine" });
  });

  test("a migration marks the documents it creates, and later changes keep the mark", async () => {
    const from = { pragma: "xn-from-migration" };
    const moved = {
      name: "moved",
      documentSelfLink: "/moved",
      documentVersion: 7,
      documentUpdateTimeMicros: 1_700_000_000_000_001,
      isFromMigration: false,
    };
    const made = JSON.parse(
      (await host.call("POST", "/core/examples", moved, from)).text,
    ) as Record<string, unknown>;
    expect(made).toMatchObject({
      isFromMigration: true,
      documentSelfLink: "/core/examples/moved",
      documentVersion: 0,
    });
    // The position in the log, which point-in-time restores use, not the time of the original
    // write.
    expect(made["documentUpdateTimeMicros"]).toBeGreaterThan(1_700_000_000_000_001);
    expect(
      JSON.parse(
        (await host.call("PATCH", "/core/examples/moved", { name: "x", isFromMigration: false }))
          .text,
      ),
    ).toMatchObject({ isFromMigration: true });
    expect(
      JSON.parse((await host.call("PUT", "/core/examples/moved", { name: "x" }, from)).text),
    ).not.toHaveProperty("isFromMigration");
    expect((await host.call("POST", "/core/examples", moved, from)).status).toBe(409);
    const again = await host.call("DELETE", "/core/examples/moved", undefined, from).then(() =>
      host.call("POST", "/core/examples", moved, {
        pragma: "xn-force-index-update;xn-from-migration",
      }),
    );
    expect(JSON.parse(again.text)).toMatchObject({ isFromMigration: true });
    expect(
      JSON.parse(
        (await host.call("POST", "/core/examples", { name: "own", isFromMigration: true })).text,
      ),
    ).toMatchObject({ isFromMigration: false });
  });
});

describe("conditional requests", () => {
  beforeEach(() => host.call("POST", "/core/examples", { name: "one", documentSelfLink: "one" }));
  const put = (ifMatch: string | string[]) =>
    host
      .call("PUT", "/core/examples/one", { name: "x" }, { "if-match": ifMatch })
      .then((answer) => answer.status);

  test("If-Match allows a write only to a listed version", async () => {
    expect(await put('"1"')).toBe(412);
    expect(await put('"0"')).toBe(200);
    expect(await put('"0"')).toBe(412);
    expect(await put("*")).toBe(200);
    expect(await put('"0", "2"')).toBe(200);
    expect(await put(['"3"', '"9"'])).toBe(200);
    expect(await put(['"3"', '"9"'])).toBe(412);
    expect(await put('W/"4"')).toBe(412);
    expect(await put('"04"')).toBe(412);
    expect(await put("4")).toBe(400);
    expect(await put("")).toBe(400);
    expect(
      (await host.call("DELETE", "/core/examples/one", undefined, { "if-match": '"7"' })).status,
    ).toBe(412);
    expect((await host.call("GET", "/core/examples/one")).headers.etag).toBe('"4"');
  });

  test("If-None-Match omits a document that the client already has", async () => {
    const answer = await host.call("GET", "/core/examples/one", undefined, {
      "if-none-match": '"0"',
    });
    expect(answer.status).toBe(304);
    expect(answer.text).toBe("");
    expect(answer.headers.etag).toBe('"0"');
    expect(
      (await host.call("GET", "/core/examples/one", undefined, { "if-none-match": '"1"' })).status,
    ).toBe(200);
  });

  test("HEAD returns the headers of GET without a body", async () => {
    const [get, head] = [
      await host.call("GET", "/core/examples/one"),
      await host.call("HEAD", "/core/examples/one"),
    ];
    expect(head.rawHeaders).toEqual(get.rawHeaders);
    expect(head.text).toBe("");
  });
});

describe("a request body", () => {
  const post = (body: string | Buffer, headers: Record<string, string>) =>
    host.call("POST", "/core/examples", body, headers).then((answer) => answer.status);

  test("must be JSON according to its content type", async () => {
    const name = '{"name":"x"}';
    for (const type of [
      "application/json",
      "application/json; charset=UTF-8",
      'Application/JSON;charset="utf-8"',
      "application/vnd.x+json",
    ]) {
      expect(await post(name, { "content-type": type })).toBe(200);
    }
    for (const type of [
      "",
      "application/x-www-form-urlencoded",
      "text/plain",
      "multipart/form-data",
      "application/json; charset=utf-16",
      "application/jsonx",
    ]) {
      expect(await post(name, { "content-type": type })).toBe(400);
    }
    expect(await post(name, { "content-encoding": "gzip" })).toBe(400);
  });

  test("must be valid UTF-8", async () => {
    expect(await post(Buffer.from('{"name":"\xff"}', "latin1"), {})).toBe(400);
    expect(await post(Buffer.from('{"name":"\xed\xa0\x80"}', "latin1"), {})).toBe(400);
    expect(await post('{"name":"\\ud800"}', {})).toBe(400);
    expect(host.store.log).toHaveLength(0);
  });
});

describe("links", () => {
  test("paths are decoded once and never normalized", async () => {
    await host.call("POST", "/core/examples", { name: "s", documentSelfLink: "a b/é" });
    expect((await host.call("GET", "/core/examples/a%20b/%C3%A9")).status).toBe(200);
    for (const path of [
      "/core/examples/%2e%2e/management",
      "/core/examples/../management",
      "/core/examples/.%2e",
      "/core/examples//a",
      "/core/examples/a%00b",
    ]) {
      expect({ path, status: (await host.call("GET", path)).status }).toEqual({
        path,
        status: 400,
      });
    }
    expect((await host.call("GET", "/core/examples/%zz")).status).toBe(400);
    expect(
      (await host.call("POST", "/core/examples", { name: "s", documentSelfLink: "../x" })).status,
    ).toBe(400);
    expect(
      (await host.call("POST", "/core/examples", { name: "s", documentSelfLink: 7 })).status,
    ).toBe(400);
  });
});

import { limits } from "../../limits.js";
import { startDialectHost, type DialectHost } from "../../../test/support/dialect-host.js";
import { eventually } from "../../../test/support/eventually.js";

let host: DialectHost;
beforeEach(async () => {
  host = await startDialectHost();
});
afterEach(async () => {
  await host.queries.close();
  await host.server.close();
});

const kind = "com:vmware:xenon:services:common:ExampleService:ExampleServiceState";
const ofKind = { term: { propertyName: "documentKind", matchType: "TERM", matchValue: kind } };
interface Task {
  taskInfo: { stage: string; isDirect: boolean; failure?: { message: string; statusCode: number } };
  results?: {
    documentLinks: string[];
    documents?: Record<string, { name?: string; documentVersion?: number }>;
    documentCount: number;
    nextPageLink?: string;
  };
  documentSelfLink: string;
  documentVersion: number;
}

async function fill(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    await host.documents.create(
      "/core/examples",
      JSON.stringify({ documentSelfLink: `d${i}`, name: `n${i}`, counter: i }),
    );
  }
}
const post = (querySpec: object, more: object = {}) =>
  host.call("POST", "/core/query-tasks", {
    taskInfo: { isDirect: true },
    querySpec: { query: ofKind, ...querySpec },
    ...more,
  });
const direct = async (querySpec: object, more: object = {}) =>
  JSON.parse((await post(querySpec, more)).text) as Task;
const start = async (querySpec: object, more: object = {}) =>
  JSON.parse((await post(querySpec, { taskInfo: {}, ...more })).text) as Task;
const get = async (path: string) => JSON.parse((await host.call("GET", path)).text) as Task;
const names = (task: Task) =>
  (task.results?.documentLinks ?? []).map((link) => link.slice("/core/examples/".length));

async function finished(link: string): Promise<Task> {
  let task = await get(link);
  while (["CREATED", "STARTED"].includes(task.taskInfo.stage)) task = await get(link);
  return task;
}

/** Replaces values that vary between runs. */
const shape = (text: string) =>
  text
    .replace(
      /"(durationMicros|queryTimeMicros|documentUpdateTimeMicros|documentExpirationTimeMicros)":[1-9]\d*/g,
      '"$1":1',
    )
    .replace(/query-tasks\/query-\d+/, "query-tasks/ID")
    .replace(/query-page\/[\w-]+/g, "query-page/ID");
const resultsEnd =
  '"queryTimeMicros":1,"documentVersion":0,"documentUpdateTimeMicros":0,"documentExpirationTimeMicros":0,"documentOwner":"host-1"}';
const taskEnd =
  ',"indexLink":"/core/document-index","nodeSelectorLink":"/core/node-selectors/default","documentVersion":0,"documentEpoch":0' +
  ',"documentKind":"com:vmware:xenon:services:common:QueryTask","documentSelfLink":"/core/query-tasks/ID"' +
  ',"documentUpdateTimeMicros":1,"documentExpirationTimeMicros":1,"documentOwner":"host-1"}';
const query = `"query":{"occurance":"MUST_OCCUR","term":{"propertyName":"documentKind","matchValue":"${kind}","matchType":"TERM"}}`;

describe("a direct query task", () => {
  test("has Xenon's response, field by field", async () => {
    await fill(2);
    const head = `{"taskInfo":{"stage":"FINISHED","isDirect":true,"durationMicros":1},"querySpec":{${query},"resultLimit":`;
    const links = '"documentLinks":["/core/examples/d0","/core/examples/d1"]';
    expect(shape((await post({})).text)).toBe(
      `${head}2147483647,"options":[]},"results":{${links},"documentCount":2,${resultsEnd}${taskEnd}`,
    );
    expect(shape((await post({ options: ["COUNT"] })).text)).toBe(
      `${head}2147483647,"options":["COUNT"]},"results":{"documentLinks":[],"documentCount":2,${resultsEnd}${taskEnd}`,
    );
    const one = (await host.call("GET", "/core/examples/d0")).text;
    expect(
      shape((await post({ options: ["EXPAND_CONTENT", "TOP_RESULTS"], resultLimit: 1 })).text),
    ).toBe(
      `${head}1,"options":["TOP_RESULTS","EXPAND_CONTENT"]},"results":{"documentLinks":["/core/examples/d0"]` +
        `,"documents":{"/core/examples/d0":${shape(one)}},"documentCount":1,${resultsEnd}${taskEnd}`,
    );
    expect(shape((await post({ options: ["EXPAND_CONTENT"], resultLimit: 1 })).text)).toBe(
      `${head}1,"options":["EXPAND_CONTENT"]},"results":{"documentLinks":[],"documents":{},"documentCount":0` +
        `,"nextPageLink":"/core/query-page/ID?peer=host-1",${resultsEnd}${taskEnd}`,
    );
  });

  test("returns the matching documents of the requested index", async () => {
    await fill(5);
    await host.documents.create("/core/in-memory-examples", '{"name":"there"}');
    const counter = (range: object) => ({
      query: { term: { propertyName: "counter", range: { type: "LONG", ...range } } },
    });
    expect(names(await direct(counter({ min: 3, isMinInclusive: true })))).toEqual(["d3", "d4"]);
    expect(
      names(
        await direct({
          options: ["SORT"],
          sortTerm: { propertyName: "counter", propertyType: "LONG" },
          sortOrder: "DESC",
        }),
      ),
    ).toEqual(["d4", "d3", "d2", "d1", "d0"]);
    expect(
      (await direct({}, { indexLink: "/core/in-memory-document-index" })).results?.documentCount,
    ).toBe(1);
    expect(
      (await direct({ options: ["BROADCAST", "OWNER_SELECTION"] })).results?.documentCount,
    ).toBe(5);
  });

  test("returns deleted documents and all versions, with links to these versions", async () => {
    await fill(1);
    await host.documents.patch("/core/examples/d0", '{"name":"later"}');
    await host.documents.delete("/core/examples/d0");
    expect((await direct({})).results?.documentLinks).toEqual([]);
    expect((await direct({ options: ["INCLUDE_DELETED"] })).results?.documentLinks).toEqual([
      "/core/examples/d0",
    ]);
    const { results } = await direct({ options: ["INCLUDE_ALL_VERSIONS", "EXPAND_CONTENT"] });
    expect(results?.documentLinks).toEqual(
      [0, 1, 2].map((version) => `/core/examples/d0?documentVersion=${version}`),
    );
    for (const [link, document] of Object.entries(results?.documents ?? {})) {
      expect(JSON.parse((await host.call("GET", link)).text)).toEqual(document);
    }
    expect(
      (await direct({ options: ["INCLUDE_ALL_VERSIONS", "COUNT"] })).results?.documentCount,
    ).toBe(3);
  });

  test("supports a point in time", async () => {
    await fill(2);
    const then = (await host.documents.get("/core/examples/d0")).updateTimeMicros;
    await host.documents.patch("/core/examples/d0", '{"name":"later"}');
    const task = await direct({
      options: ["TIME_SNAPSHOT", "EXPAND_CONTENT"],
      timeSnapshotBoundaryMicros: then,
    });
    expect(names(task)).toEqual(["d0"]);
    expect(task.results?.documents?.["/core/examples/d0"]).toMatchObject({
      name: "n0",
      documentVersion: 0,
    });
    const now = await direct({
      options: ["TIME_SNAPSHOT"],
      timeSnapshotBoundaryMicros: "9223372036854775807",
    });
    expect(names(now)).toEqual(["d0", "d1"]);
  });

  test("of several pages is streamed at one point in time, with as many documents as links", async () => {
    await fill(2500);
    const answer = await post({ options: ["EXPAND_CONTENT"] });
    expect(answer.headers["transfer-encoding"]).toBe("chunked");
    const { results } = JSON.parse(answer.text) as Task;
    expect(results?.documentLinks).toHaveLength(2500);
    expect(Object.keys(results?.documents ?? {})).toEqual(results?.documentLinks);
    expect(results?.documentCount).toBe(2500);
    expect(host.store.largestPage).toBeLessThanOrEqual(1000);
    expect(
      (await direct({ options: ["TOP_RESULTS"], resultLimit: 1500 })).results?.documentLinks,
    ).toHaveLength(1500);
    expect(shape((await post({})).text)).toMatch(/\],"documentCount":2500,"queryTimeMicros":1,/);
  });
});

describe("pages", () => {
  test("can be followed to the last one, and none is empty", async () => {
    await fill(5);
    const seen: string[] = [];
    let next = (await direct({ resultLimit: 2, options: ["EXPAND_CONTENT"] })).results
      ?.nextPageLink;
    await host.documents.create("/core/examples", '{"documentSelfLink":"d00","name":"too late"}');
    const counts: number[] = [];
    while (next !== undefined) {
      const page = await get(next);
      expect(Object.keys(page.results?.documents ?? {})).toEqual(page.results?.documentLinks);
      seen.push(...names(page));
      counts.push(page.results?.documentCount ?? 0);
      next = page.results?.nextPageLink;
    }
    expect(seen).toEqual(["d0", "d1", "d2", "d3", "d4"]);
    expect(counts).toEqual([2, 2, 1]);
    const exact = (await direct({ resultLimit: 6 })).results?.nextPageLink ?? "";
    expect((await get(exact)).results).not.toHaveProperty("nextPageLink");
    expect(
      (
        await direct({
          resultLimit: 2,
          query: { term: { propertyName: "name", matchValue: "missing" } },
        })
      ).results,
    ).not.toHaveProperty("nextPageLink");
  });

  test("have Xenon's format", async () => {
    await fill(3);
    const { results } = await direct({ resultLimit: 2 });
    expect(shape((await host.call("GET", results?.nextPageLink ?? "")).text)).toBe(
      `{"taskInfo":{"stage":"FINISHED","isDirect":true},"querySpec":{${query},"resultLimit":2,"options":[]},"results":{"documentLinks":` +
        `["/core/examples/d0","/core/examples/d1"],"documentCount":2,"nextPageLink":"/core/query-page/ID?peer=host-1",${resultsEnd}` +
        ',"indexLink":"/core/document-index","nodeSelectorLink":"/core/node-selectors/default","documentVersion":0' +
        ',"documentKind":"com:vmware:xenon:services:common:QueryTask","documentSelfLink":"/core/query-page/ID"' +
        ',"documentUpdateTimeMicros":0,"documentExpirationTimeMicros":1}',
    );
  });

  test("are invalid after a restore, and after their task is deleted", async () => {
    await fill(3);
    const first = (await direct({ resultLimit: 2 })).results?.nextPageLink ?? "";
    const second = (await get(first)).results?.nextPageLink ?? "";
    host.lineages.set("/core/document-index", "lineage-2");
    const answer = await host.call("GET", second);
    expect(answer.status).toBe(409);
    expect(answer.text).toMatch(/restored since the query started. Run the query again/);
    host.clock.micros += 601_000_000;
    expect((await host.call("GET", first)).status).toBe(404);
    for (const name of ["x", "W10", Buffer.from('["a",1]').toString("base64url")]) {
      expect({ name, status: (await host.call("GET", `/core/query-page/${name}`)).status }).toEqual(
        { name, status: name === "W10" ? 404 : 400 },
      );
    }
  });
});

describe("a polled query task", () => {
  test("can be created, polled until finished, listed and deleted", async () => {
    await fill(3);
    const answer = await post(
      { options: ["EXPAND_CONTENT"] },
      { taskInfo: {}, documentSelfLink: "mine" },
    );
    expect(answer.status).toBe(202);
    expect(JSON.parse(answer.text)).toMatchObject({
      taskInfo: { stage: "CREATED", isDirect: false },
      documentSelfLink: "/core/query-tasks/mine",
      documentVersion: 0,
    });
    const task = await finished("/core/query-tasks/mine");
    expect(task).toMatchObject({
      taskInfo: { stage: "FINISHED", isDirect: false },
      documentVersion: 2,
      results: { documentCount: 3 },
    });
    expect(task.results?.documents?.["/core/examples/d1"]?.name).toBe("n1");
    await host.documents.delete("/core/examples/d1");
    expect(names(await get("/core/query-tasks/mine"))).toEqual(["d0", "d1", "d2"]);
    expect((await host.call("GET", "/core/query-tasks")).text).toBe(
      '{"documentLinks":["/core/query-tasks/mine"],"documentCount":1,"documentVersion":0,"documentUpdateTimeMicros":0,"documentExpirationTimeMicros":0,"documentOwner":"host-1"}',
    );
    expect((await post({}, { taskInfo: {}, documentSelfLink: "mine" })).status).toBe(409);
    expect(await host.call("DELETE", "/core/query-tasks/mine")).toMatchObject({
      status: 200,
      text: "",
    });
    expect((await host.call("GET", "/core/query-tasks/mine")).text).toMatch(
      /Service not found: .*mine","statusCode":404.*-2147483648/,
    );
  });

  test("belongs to the factory that created it", async () => {
    await fill(3);
    const sent = await host.call("POST", "/core/local-query-tasks", {
      querySpec: { query: ofKind },
      documentSelfLink: "mine",
    });
    expect(JSON.parse(sent.text)).toMatchObject({
      documentSelfLink: "/core/local-query-tasks/mine",
    });
    expect(names(await finished("/core/local-query-tasks/mine"))).toEqual(["d0", "d1", "d2"]);
    expect((await host.call("GET", "/core/query-tasks/mine")).status).toBe(404);
    const listed = async (path: string) =>
      (JSON.parse((await host.call("GET", path)).text) as { documentLinks: string[] })
        .documentLinks;
    expect(await listed("/core/query-tasks")).toEqual([]);
    expect(await listed("/core/local-query-tasks")).toEqual(["/core/local-query-tasks/mine"]);
    const paged = await host.call("POST", "/core/local-query-tasks", {
      taskInfo: { isDirect: true },
      querySpec: { query: ofKind, resultLimit: 2 },
    });
    const { results } = JSON.parse(paged.text) as { results: { nextPageLink: string } };
    expect(names(await get(results.nextPageLink))).toEqual(["d0", "d1"]);
  });

  test("has pages, a count, and an expiration time", async () => {
    await fill(3);
    const paged = await finished((await start({ resultLimit: 2 })).documentSelfLink);
    expect(names(await get(paged.results?.nextPageLink ?? ""))).toEqual(["d0", "d1"]);
    const counted = await finished((await start({ options: ["COUNT"] })).documentSelfLink);
    expect(counted.results).toMatchObject({ documentLinks: [], documentCount: 3 });
    const soon = await start({}, { documentExpirationTimeMicros: host.clock.micros + 10 });
    host.clock.micros += 11;
    expect((await host.call("GET", soon.documentSelfLink)).status).toBe(404);
  });

  test("that is finished cannot be cancelled, and keeps its results", async () => {
    const { documentSelfLink } = await finished((await start({})).documentSelfLink);
    for (const failure of [undefined, { message: "enough" }])
      expect(
        (await host.call("PATCH", documentSelfLink, { taskInfo: { stage: "CANCELLED", failure } }))
          .status,
      ).toBe(400);
    expect(await get(documentSelfLink)).toMatchObject({
      taskInfo: { stage: "FINISHED" },
      results: { documentCount: 0 },
    });
  });

  test("is cancelled by PATCH while it runs, and its scan with it", async () => {
    let aborted = false;
    host.store.count = (_query, signal) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener("abort", () => {
          aborted = true;
          reject(signal.reason as Error);
        });
      });
    const { documentSelfLink } = await start({});
    await eventually(() => host.queries.list("/core/query-tasks")[0]?.stage === "STARTED");
    expect(
      (await host.call("PATCH", documentSelfLink, { taskInfo: { stage: "STARTED" } })).status,
    ).toBe(400);
    expect((await host.call("PATCH", documentSelfLink, {})).text).toMatch(/taskInfo is required/);
    const answer = await host.call("PATCH", documentSelfLink, {
      taskInfo: { stage: "CANCELLED", failure: { message: "enough" } },
    });
    expect(JSON.parse(answer.text)).toMatchObject({
      taskInfo: { stage: "CANCELLED", failure: { message: "enough" } },
    });
    expect(aborted).toBe(true);
    expect((await get(documentSelfLink)).taskInfo.stage).toBe("CANCELLED");
    expect(
      (await host.call("PATCH", documentSelfLink, { taskInfo: { stage: "CANCELLED" } })).status,
    ).toBe(400);
  });

  test("fails after a restore of its index, except for counts; its page links are rejected", async () => {
    await fill(3);
    const whole = (await finished((await start({})).documentSelfLink)).documentSelfLink;
    const paged = await finished((await start({ resultLimit: 2 })).documentSelfLink);
    const counted = (await finished((await start({ options: ["COUNT"] })).documentSelfLink))
      .documentSelfLink;
    host.lineages.set("/core/document-index", "lineage-2");
    for (const link of [whole, paged.documentSelfLink]) {
      const answer = await host.call("GET", link);
      expect(answer.status).toBe(200);
      expect((JSON.parse(answer.text) as Task).taskInfo).toMatchObject({
        stage: "FAILED",
        failure: { statusCode: 409, message: expect.stringMatching(/restored since/) as unknown },
      });
      expect((JSON.parse(answer.text) as Task).results).toBeUndefined();
    }
    expect((await host.call("GET", paged.results?.nextPageLink ?? "")).status).toBe(409);
    expect(await get(counted)).toMatchObject({
      taskInfo: { stage: "FINISHED" },
      results: { documentCount: 3 },
    });
  });

  test("reports its failure", async () => {
    host.store.count = () => Promise.reject(new Error("the password is hunter2"));
    const { taskInfo } = await finished((await start({})).documentSelfLink);
    expect(taskInfo).toMatchObject({ stage: "FAILED", failure: { statusCode: 500 } });
    expect(JSON.stringify(taskInfo)).not.toMatch(/hunter2/);
    expect(host.internal).toEqual([new Error("the password is hunter2")]);
  });
});

describe("an invalid query task", () => {
  test.each([
    ["no body", "", /"message":"body is required"/],
    ["no JSON", "{", /Unparseable JSON body/],
    ["no object", "[]", /Unparseable JSON body/],
    ["no specification", "{}", /"querySpec is required"/],
    [
      "an unknown option",
      '{"querySpec":{"query":{"term":{"propertyName":"a","matchValue":"b"}},"options":["FOO"]}}',
      /Unknown query option \\"FOO\\"/,
    ],
    [
      "an invalid property name",
      `{"querySpec":{"query":{"term":{"propertyName":"${"ü".repeat(513)}","matchValue":"b"}}}}`,
      /propertyName exceeds the limit of 1024 bytes/,
    ],
    [
      "one to sort by",
      `{"querySpec":{"query":{"term":{"propertyName":"a","matchValue":"b"}},"options":["SORT"],"sortTerm":{"propertyName":"${"x".repeat(1025)}","propertyType":"STRING"}}}`,
      /propertyName exceeds the limit of 1024 bytes/,
    ],
    [
      "an unknown index",
      '{"indexLink":"/core/nope","querySpec":{"query":{"term":{"propertyName":"a","matchValue":"b"}}}}',
      /is not an index of this host/,
    ],
    [
      "a bad name",
      '{"documentSelfLink":"a/b","querySpec":{"query":{"term":{"propertyName":"a","matchValue":"b"}}}}',
      /must be a name/,
    ],
    [
      "isDirect in words",
      '{"taskInfo":{"isDirect":"yes"},"querySpec":{"query":{"term":{"propertyName":"a","matchValue":"b"}}}}',
      /taskInfo.isDirect must be true or false/,
    ],
  ])("is rejected: %s", async (_what, body, message) => {
    const answer = await host.call("POST", "/core/query-tasks", body);
    expect(answer.status).toBe(400);
    expect(answer.text).toMatch(message);
    expect(answer.text).toMatch(
      /"documentKind":"com:vmware:xenon:common:ServiceErrorResponse","errorCode":0\}$/,
    );
    expect(host.queries.list("/core/query-tasks")).toEqual([]);
  });

  test("is rejected for its method, its size, and missing permissions", async () => {
    expect((await host.call("PUT", "/core/query-tasks", {})).headers.allow).toBe("GET, POST");
    expect((await host.call("PUT", "/core/query-tasks/x", {})).headers.allow).toBe(
      "GET, PATCH, DELETE",
    );
    expect((await host.call("POST", "/core/query-tasks", { a: "x".repeat(300_000) })).status).toBe(
      413,
    );
    const guarded = await startDialectHost({ tokens: "reader-token read\n" });
    const ask = (token: string) =>
      guarded.call(
        "POST",
        "/core/query-tasks",
        { querySpec: { query: ofKind } },
        { authorization: `Bearer ${token}` },
      );
    expect((await ask("reader-token")).status).toBe(202);
    expect((await ask("missing")).status).toBe(401);
    expect((await guarded.call("GET", "/core/query-tasks")).status).toBe(401);
    await guarded.queries.close();
    await guarded.server.close();
  });
});

describe("a document at a point in time", () => {
  test("is returned by version and by time, and is not found while it did not exist", async () => {
    await fill(1);
    const created = await host.documents.get("/core/examples/d0");
    await host.documents.patch("/core/examples/d0", '{"name":"later"}');
    const deleted = await host.documents.delete("/core/examples/d0");
    const status = async (query: string) =>
      (await host.call("GET", `/core/examples/d0?${query}`)).status;
    expect((await get("/core/examples/d0?documentVersion=0")).documentVersion).toBe(0);
    expect(await host.call("GET", "/core/examples/d0?documentVersion=1")).toMatchObject({
      status: 200,
      headers: { etag: '"1"' },
    });
    const then = `timeSnapshotBoundaryMicros=${created.updateTimeMicros}`;
    expect((await get(`/core/examples/d0?${then}`)).documentVersion).toBe(0);
    expect(
      (await get(`/core/document-index?documentSelfLink=/core/examples/d0&${then}`))
        .documentVersion,
    ).toBe(0);
    expect(
      (
        await get(
          `/core/document-index?documentSelfLink=/core/examples/d0&timeSnapshotBoundaryMicros=${deleted?.updateTimeMicros}`,
        )
      ).documentVersion,
    ).toBe(2);
    expect(await status(`timeSnapshotBoundaryMicros=${created.updateTimeMicros - 1}`)).toBe(404);
    expect(await status(`timeSnapshotBoundaryMicros=${deleted?.updateTimeMicros}`)).toBe(404);
    expect(await status("documentVersion=9")).toBe(404);
    for (const bad of [
      "documentVersion=x",
      "documentVersion=-1",
      "documentVersion=",
      "timeSnapshotBoundaryMicros=now",
      `documentVersion=1&${then}`,
    ]) {
      expect({ bad, status: await status(bad) }).toEqual({ bad, status: 400 });
    }
  });

  test("is in the listing of its factory at that time, page by page", async () => {
    await fill(4);
    const { updateTimeMicros } = await host.documents.get("/core/examples/d2");
    await host.documents.delete("/core/examples/d0");
    const then = `timeSnapshotBoundaryMicros=${updateTimeMicros}`;
    const listed = async (path: string) =>
      JSON.parse((await host.call("GET", path)).text) as {
        documentLinks: string[];
        documentCount: number;
        nextPageLink?: string;
      };
    expect((await listed(`/core/examples?${then}`)).documentLinks).toEqual(
      ["d0", "d1", "d2"].map((name) => `/core/examples/${name}`),
    );
    expect((await listed(`/core/examples?$count=true&${then}`)).documentCount).toBe(3);
    const first = await listed(`/core/examples?$limit=2&${then}`);
    expect((await listed(first.nextPageLink ?? "")).documentLinks).toEqual(["/core/examples/d2"]);
  });
});

test("one token cannot use all stored query tasks", async () => {
  const specification = {
    query: { term: { propertyName: "name", matchType: "TERM" as const, matchValue: "x" } },
    options: new Set<never>(),
    sortTerms: [],
  };
  const client = (key: string) => ({ key, authenticated: true, admin: false });
  const startAs = (key: string) =>
    host.queries.start({
      factory: "/core/query-tasks",
      indexLink: "/core/document-index",
      specification: specification as never,
      client: client(key),
    });
  for (let i = 0; i < limits.queryTasksPerClient; i += 1) startAs("token 1");
  expect(() => startAs("token 1")).toThrow(
    expect.objectContaining({
      reason: "QUERY_LIMIT",
      message: expect.stringContaining("this token") as string,
    }),
  );
  const { link } = startAs("token 2");
  expect(host.queries.remove(link)).toBe(true);
});

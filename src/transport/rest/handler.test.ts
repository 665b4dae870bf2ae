import type { Message } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../../../test/support/eventually.js";
import { restService } from "../../../test/support/rest-service.js";
import { settled } from "../../../test/support/settled.js";
import { HostError } from "../../errors.js";
import { hostNames } from "../../security/hosts.js";
import { bindService } from "../../api/call/bound-service.js";
import { HttpServer } from "../http/server.js";
import { sendError } from "../../xenon/dialect/error-response.js";
import { createRestHandler } from "./handler.js";

/** Covers streams and features of google.api.http that no product method uses yet. */
const seen = { yielded: 0, ended: 0, internal: [] as unknown[] };
const service = bindService(
  restService({
    Whole: { pattern: { case: "post", value: "/v1/whole/{name}" }, body: "*" },
    Part: {
      pattern: { case: "put", value: "/v1/parts/{name=*}/{inner.text}" },
      body: "tags",
      additionalBindings: [
        { pattern: { case: "patch", value: "/v1/parts/{name}" }, body: "inner" },
      ],
    },
    Query: { pattern: { case: "get", value: "/v1/query" } },
    Lines: { pattern: { case: "get", value: "/v1/lines" }, responseBody: "lines" },
    ManyMessages: { pattern: { case: "get", value: "/v1/many/{name}" } },
    ManyLines: {
      pattern: { case: "post", value: "/v1/many:lines" },
      body: "*",
      responseBody: "lines",
    },
  }),
  {
    whole: (ask: Message) => ({ ask }),
    part: (ask: Message) => ({ ask }),
    query: (ask: Message) => ({ ask }),
    lines: (ask: Message) => ({ ask, lines: ["a", "b"] }),
    manyMessages: streamMany as never,
    manyLines: streamMany as never,
  } as never,
);

async function* streamMany(
  ask: Message & { name: string; inner?: { count: number } },
  { signal }: HandlerContext,
) {
  try {
    for (let i = 0; i < (ask.inner?.count ?? 3); i++) {
      if (ask.name === "refused" || (ask.name === "broken" && i === 2))
        throw new HostError("BACKUP_DAMAGED", "Backup damaged.", { metadata: { at: String(i) } });
      if (ask.name === "secret" && i === 1) throw new Error("the password is hunter2");
      if (ask.name === "endless") await sleep(5, undefined, { signal });
      seen.yielded++;
      yield { lines: [ask.name === "large" ? "x".repeat(100_000) : String(i)] };
    }
  } finally {
    seen.ended++;
  }
}

let server: HttpServer;
let url: string;
let port: number;
beforeEach(async () => {
  Object.assign(seen, { yielded: 0, ended: 0, internal: [] });
  const rest = createRestHandler({
    services: [service],
    onInternalError: (error) => seen.internal.push(error),
  });
  server = new HttpServer({
    host: "127.0.0.1",
    port: 0,
    hostNames: hostNames("127.0.0.1"),
    handlers: [rest],
    sendError,
  });
  ({ port } = await server.open());
  url = `http://127.0.0.1:${port}`;
});
afterEach(() => server.close(0));

async function call(method: string, path: string, body?: unknown) {
  const response = await fetch(`${url}${path}`, {
    method,
    ...(body !== undefined && {
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

test("maps a body to a field of any kind, and path variables to nested fields", async () => {
  expect(
    (await call("PUT", "/v1/parts/n/deep?big=9007199254740993", ["a", "b"])).json,
  ).toMatchObject({
    ask: { name: "n", big: "9007199254740993", tags: ["a", "b"], inner: { text: "deep" } },
  });
  expect((await call("PATCH", "/v1/parts/n?tags=x&tags=y", { count: 2 })).json).toMatchObject({
    ask: { name: "n", tags: ["x", "y"], inner: { count: 2 } },
  });
});

test("parses nested fields, enums and 64-bit integers from a query, and rejects unknown fields", async () => {
  const { json } = await call(
    "GET",
    "/v1/query?inner.text=t&inner.count=2&color=COLOR_RED&big=-9223372036854775808&tags=a&tags=b",
  );
  expect(json["ask"]).toEqual({
    name: "",
    big: "-9223372036854775808",
    color: "COLOR_RED",
    inner: { text: "t", count: 2 },
    tags: ["a", "b"],
  });
  for (const wrong of [
    "colour=1",
    "inner.nothing=1",
    "color=COLOR_GREEN",
    "big=9223372036854775808",
    "inner.count=x",
    "inner=x",
  ]) {
    expect({ wrong, status: (await call("GET", `/v1/query?${wrong}`)).status }).toEqual({
      wrong,
      status: 400,
    });
  }
  expect((await call("POST", "/v1/whole/n", { nmae: "x" })).status).toBe(400);
  expect(
    (await call("POST", "/v1/whole/n", { big: "9007199254740993", color: 1 })).json,
  ).toMatchObject({ ask: { name: "n", big: "9007199254740993", color: "COLOR_RED" } });
});

test("responds with a single field if the rule says so", async () => {
  expect((await call("GET", "/v1/lines")).json).toEqual(["a", "b"]);
});

test("sends a stream line by line", async () => {
  const response = await fetch(`${url}/v1/many/n`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("application/x-ndjson");
  expect(await response.text()).toBe([0, 1, 2].map((i) => `{"lines":["${i}"]}\n`).join(""));
  const parts = await fetch(`${url}/v1/many:lines`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"inner":{"count":2}}',
  });
  expect(await parts.text()).toBe('["0"]\n["1"]\n');
  const empty = await fetch(`${url}/v1/many/n?inner.count=0`);
  expect(empty.status).toBe(200);
  expect(empty.headers.get("content-type")).toBe("application/x-ndjson");
  expect(await empty.text()).toBe("");
  const head = await fetch(`${url}/v1/many/endless?inner.count=1000`, { method: "HEAD" });
  expect(head.status).toBe(200);
  expect(head.headers.get("content-type")).toBe("application/x-ndjson");
});

test("sends an error before the first message as an ordinary error response", async () => {
  const { status, json } = await call("GET", "/v1/many/refused");
  expect(status).toBe(500);
  expect(json).toMatchObject({ code: 15, message: "Backup damaged." });
});

/** Returns the received text and whether the response was complete. */
function raw(path: string): Promise<{ text: string; complete: boolean }> {
  return new Promise((resolve, reject) => {
    httpRequest({ port, path, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (more: string) => (text += more));
      response
        .on("error", () => undefined)
        .on("close", () => resolve({ text, complete: response.complete }));
    })
      .on("error", reject)
      .end();
  });
}

test("sends a later error as the last line of an incomplete response", async () => {
  const { text, complete } = await raw("/v1/many/broken");
  expect(complete).toBe(false);
  const lines = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
  expect(lines).toEqual([
    { lines: ["0"] },
    { lines: ["1"] },
    {
      error: expect.objectContaining({
        code: 15,
        message: "Backup damaged.",
        details: [expect.objectContaining({ reason: "BACKUP_DAMAGED", metadata: { at: "2" } })],
      }),
    },
  ]);
  const secret = await raw("/v1/many/secret");
  expect(secret.complete).toBe(false);
  expect(secret.text).not.toContain("hunter2");
  expect(secret.text).toContain('"INTERNAL"');
  expect(seen.internal).toHaveLength(1);
});

test("pauses a stream for a slow client, and ends it when the client disconnects", async () => {
  const response = await new Promise<IncomingMessage>((resolve) =>
    httpRequest({ port, path: "/v1/many/large?inner.count=10000", agent: false }, resolve).end(),
  );
  const paused = await settled(() => seen.yielded);
  expect(paused).toBeLessThan(200);
  response.destroy();
  await eventually(() => seen.ended > 0);
  const endless = new AbortController();
  const reading = fetch(`${url}/v1/many/endless?inner.count=100000`, {
    signal: endless.signal,
  }).then((answer) => answer.text());
  // Time for several lines of the stream.
  await sleep(50);
  endless.abort();
  await expect(reading).rejects.toThrow();
  await eventually(() => seen.ended === 2);
  expect(seen.internal).toEqual([]);
});

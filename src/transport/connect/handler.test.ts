import type { HandlerContext } from "@connectrpc/connect";
import { request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { ManagementService } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { hostNames } from "../../security/hosts.js";
import { bindService } from "../../api/call/bound-service.js";
import { createHealth, type HealthRegistry } from "../../api/health.js";
import { HttpServer } from "../http/server.js";
import { sendError } from "../../xenon/dialect/error-response.js";
import { createConnectHandler } from "./handler.js";
import { eventually } from "../../../test/support/eventually.js";

/** Covers what client libraries hide: headers, statuses, unread bodies and disconnects. */
const seen = { calls: 0, ended: 0, reasons: [] as unknown[], internal: [] as unknown[] };
const wait = async ({ signal }: HandlerContext, ms = 60_000) => {
  try {
    await sleep(ms, undefined, { signal });
  } finally {
    seen.ended++;
    seen.reasons.push(signal.reason);
  }
};
const service = bindService(ManagementService, {
  async getTransfer({ name }, context) {
    seen.calls++;
    // Longer than the deadline of the call.
    if (name === "transfers/ignores-signal") await sleep(500);
    else await wait(context);
    return {};
  },
  listTransfers: () => {
    throw new Error("the password is hunter2");
  },
  async *watchOperation(_request, context) {
    yield { name: "operations/1" };
    await wait(context);
  },
  async streamRestore(requests) {
    seen.calls++;
    for await (const _ of requests);
    return {};
  },
});

let health: HealthRegistry;
let server: HttpServer;
let port: number;
beforeEach(async () => {
  Object.assign(seen, { calls: 0, ended: 0, reasons: [], internal: [] });
  health = createHealth(["backup"]);
  const authorize = (_method: unknown, { bearerToken }: { bearerToken: string | undefined }) => {
    if (bearerToken === "unknown") throw new HostError("TOKEN_UNKNOWN", "Unknown token.");
  };
  const handler = createConnectHandler({
    services: [service, health.service],
    authorize,
    onInternalError: (error) => seen.internal.push(error),
  });
  server = new HttpServer({
    host: "127.0.0.1",
    port: 0,
    hostNames: hostNames("127.0.0.1"),
    handlers: [handler],
    sendError,
  });
  ({ port } = await server.open());
});
afterEach(() => server.close(0));

const at = (method: string) =>
  `http://127.0.0.1:${port}/holdfast.management.v1.ManagementService/${method}`;
async function call(
  method: string,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
) {
  const response = await fetch(at(method), {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: (text.startsWith("{") ? JSON.parse(text) : {}) as {
      code?: string;
      message?: string;
      details?: { debug?: { reason: string } }[];
    },
  };
}
/** A message of a stream or of gRPC-Web. */
const envelope = (text: string) =>
  Buffer.concat([Buffer.from([0, 0, 0, text.length >> 8, text.length & 255]), Buffer.from(text)]);

test("enforces a deadline in either header, even if the method ignores its signal", async () => {
  const connect = await call("GetTransfer", '{"name":"transfers/a"}', {
    "connect-timeout-ms": "80",
  });
  expect(connect.status).toBe(504);
  expect(connect.json.code).toBe("deadline_exceeded");
  expect(connect.json.details?.[0]?.debug?.reason).toBe("DEADLINE");
  const ignoring = await call("GetTransfer", '{"name":"transfers/ignores-signal"}', {
    "connect-timeout-ms": "80",
  });
  expect(ignoring.status).toBe(504);
  const web = await call("GetTransfer", envelope('{"name":"transfers/a"}'), {
    "content-type": "application/grpc-web+json",
    "grpc-timeout": "80m",
  });
  expect(web.text).toMatch(/grpc-status: ?4\r\n/);
  expect(seen.ended).toBe(2);
  // Longer than the maximum delay of a timer.
  expect(
    (
      await call("GetTransfer", '{"name":"transfers/ignores-signal"}', {
        "connect-timeout-ms": "9999999999",
      })
    ).status,
  ).toBe(200);
  expect(
    (
      await call("GetTransfer", envelope('{"name":"transfers/ignores-signal"}'), {
        "content-type": "application/grpc-web+json",
        "grpc-timeout": "99999999H",
      })
    ).text,
  ).toMatch(/grpc-status: ?0\r\n/);
  expect(seen.internal).toEqual([]);
});

test.each([
  ["connect+json", 1],
  ["connect+json", 0xff],
  ["connect+proto", 4],
  ["connect+proto", 0x80],
  ["grpc-web+proto", 1],
  ["grpc-web+proto", 2],
  ["grpc-web+json", 0xff],
])("rejects a message of %s with the flags %d as invalid", async (type, flags) => {
  const { text } = await call(
    "WatchOperation",
    Buffer.concat([Buffer.from([flags]), envelope("{}").subarray(1)]),
    { "content-type": `application/${type}` },
  );
  expect(text).toMatch(/invalid_argument|grpc-status: ?3/);
  expect(seen.internal).toEqual([]);
});

test("aborts the signal on disconnect, and on shutdown after the grace period", async () => {
  const disconnect = new AbortController();
  const gone = fetch(at("GetTransfer"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"name":"transfers/a"}',
    signal: disconnect.signal,
  });
  await eventually(() => seen.calls === 1);
  disconnect.abort();
  await expect(gone).rejects.toThrow();
  await eventually(() => seen.ended === 1);
  const watching = await fetch(at("WatchOperation"), {
    method: "POST",
    headers: { "content-type": "application/connect+json" },
    body: envelope('{"name":"operations/1"}'),
  });
  const reading = watching.text();
  await server.close(100);
  await expect(reading).rejects.toThrow();
  expect(seen.ended).toBe(2);
});

test("does not report a client disconnect during a stream as an internal error", async () => {
  const request = httpRequest(at("StreamRestore"), {
    method: "POST",
    headers: { "content-type": "application/connect+proto" },
  });
  request.on("error", () => undefined);
  request.write(Buffer.from([0, 0, 0, 0, 0]));
  await eventually(() => seen.calls === 1);
  request.destroy();
  // Time in which an internal error would be reported.
  await sleep(100);
  expect(seen.internal).toEqual([]);
});

test("rejects a request before reading its body, and delivers the error", async () => {
  const answer = await new Promise<{ status?: number; text: string }>((resolve, reject) => {
    const request = httpRequest(
      at("GetTransfer"),
      {
        method: "POST",
        headers: {
          "content-type": "application/json",
          authorization: "Bearer unknown",
          "content-length": "1000000",
        },
      },
      (response) => {
        let text = "";
        response
          .on("data", (chunk: Buffer) => (text += chunk.toString()))
          .on("end", () => resolve({ status: response.statusCode, text }));
      },
    );
    request.on("error", reject);
    request.write("x".repeat(1000));
  });
  expect(answer).toMatchObject({
    status: 401,
    text: expect.stringContaining("TOKEN_UNKNOWN") as string,
  });
  const web = await call("GetTransfer", envelope("{}"), {
    "content-type": "application/grpc-web+json",
    authorization: "Bearer unknown",
  });
  expect(web.text).toMatch(/grpc-status: ?16\r\n/);
  expect(seen.calls).toBe(0);
  const endless = httpRequest(at("GetTransfer"), {
    method: "POST",
    headers: { "content-type": "application/json" },
  });
  const status = new Promise((resolve, reject) =>
    endless.on("response", (response) => resolve(response.resume().statusCode)).on("error", reject),
  );
  const chunk = Buffer.alloc(1 << 20);
  const feed = setInterval(() => endless.writable && endless.write(chunk), 2);
  expect(await status).toBe(429);
  clearInterval(feed);
  endless.on("error", () => undefined).destroy();
  const large = await call("GetTransfer", Buffer.alloc(limits.connectMessageBytes + 100));
  expect(large.status).toBe(429);
  expect(large.json.details?.[0]?.debug?.reason).toBe("BODY_TOO_LARGE");
});

test("rejects unknown fields and malformed JSON, and hides the details of internal errors", async () => {
  expect(await call("GetTransfer", '{"nmae":"transfers/a"}')).toMatchObject({
    status: 400,
    json: { code: "invalid_argument" },
  });
  expect(await call("GetTransfer", "{")).toMatchObject({
    status: 400,
    json: { code: "invalid_argument" },
  });
  const internal = await call("ListTransfers", "{}");
  expect(internal.status).toBe(500);
  expect(internal.text).not.toContain("hunter2");
  expect(seen.internal).toHaveLength(1);
});

test("rejects bytes that are not a valid message as invalid, in Connect and gRPC-Web", async () => {
  const bad = Buffer.from([0x0a, 0xff]);
  expect(await call("GetTransfer", bad, { "content-type": "application/proto" })).toMatchObject({
    status: 400,
    json: { code: "invalid_argument" },
  });
  const web = await call("WatchOperation", Buffer.concat([Buffer.from([0, 0, 0, 0, 2]), bad]), {
    "content-type": "application/grpc-web+proto",
  });
  expect(/grpc-status: (\d+)/.exec(web.text)?.[1]).toBe("3");
  expect(await call("GetTransfer", "[".repeat(1e6))).toMatchObject({
    status: 400,
    json: { code: "invalid_argument" },
  });
  expect(seen.calls).toBe(0);
  expect(seen.internal).toEqual([]);
});

test("rejects unknown paths, methods and content types", async () => {
  expect(await call("Nothing", "{}")).toMatchObject({
    status: 404,
    json: { code: "unimplemented" },
  });
  expect((await fetch(at("GetTransfer"))).status).toBe(405);
  expect(
    (
      await call("GetTransfer", "name=transfers/a", {
        "content-type": "application/x-www-form-urlencoded",
      })
    ).status,
  ).toBe(400);
  expect((await call("GetTransfer", "{}", { "content-type": "text/html" })).status).toBe(415);
  expect((await fetch(`http://127.0.0.1:${port}/elsewhere`)).status).toBe(404);
  expect(seen.calls).toBe(0);
});

test("serves the health service", async () => {
  const check = async (name: string) => {
    const response = await fetch(`http://127.0.0.1:${port}/grpc.health.v1.Health/Check`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ service: name }),
    });
    return ((await response.json()) as { status?: string }).status;
  };
  expect(await check("")).toBe("SERVING");
  expect(await check("backup")).toBe("SERVING");
  expect(await check("nothing")).toBeUndefined();
  health.set("backup", false);
  expect(await check("backup")).toBe("NOT_SERVING");
});

import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "../../src/limits.js";
import { createChannel, createClient } from "nice-grpc";
import { ManagementServiceDefinition } from "../../clients/typescript/src/gen/holdfast/management/v1/management.js";
import { eventually } from "../support/eventually.js";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";

const kindPrefix = "com:vmware:xenon:services:common:ServiceHostManagementService:";
const address = ({ host }: HostFixture) => `http://127.0.0.1:${host.httpAddress.port}`;

async function patch(fixture: HostFixture, body: object): Promise<number> {
  const { status } = await fetch(`${address(fixture)}/core/management`, {
    method: "PATCH",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return status;
}

async function traced(
  fixture: HostFixture,
  query = "",
): Promise<{ documentCount: number; documents: Record<string, Record<string, unknown>> }> {
  const answer = await fetch(`${address(fixture)}/core/operation-index?expand${query}`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Awaited<ReturnType<typeof traced>>;
}

const tracing = (enable: string) => ({
  kind: `${kindPrefix}ConfigureOperationTracingRequest`,
  enable,
});

test("records requests while tracing is on: method, path, status, times and referer, gRPC included", async () => {
  const fixture = await hostFixture();
  await fetch(`${address(fixture)}/core/examples`);
  expect((await traced(fixture)).documentCount).toBe(0);
  expect(await patch(fixture, tracing("START"))).toBe(200);
  await fetch(`${address(fixture)}/core/examples/nobody?x=1&token=hunter2`, {
    headers: { referer: "http://script.example/nightly" },
  });
  const channel = createChannel(`127.0.0.1:${fixture.host.grpcAddress.port}`);
  const management = createClient(ManagementServiceDefinition, channel);
  await management.getHost({});
  await management.deleteTransfer({ name: "transfers/none" }).catch(() => undefined);
  channel.close();
  await eventually(async () => (await traced(fixture)).documentCount >= 4);

  const [found] = Object.values(
    (await traced(fixture, "&$filter=statusCode%20eq%20404%20and%20action%20eq%20'GET'")).documents,
  );
  expect(found).toMatchObject({
    action: "GET",
    path: "/core/examples/nobody",
    query: "x=...&token=...",
    statusCode: 404,
    referer: "http://script.example/nightly",
    protocol: "HTTP/1.1",
    documentKind: "com:vmware:xenon:common:Operation:SerializedOperation",
    documentOwner: fixture.host.id,
  });
  expect(found?.["durationMicros"]).toBeGreaterThan(0);
  expect(Math.abs(Number(found?.["beginTimeMicros"]) - Date.now() * 1000)).toBeLessThan(10_000_000);
  const calls = Object.values(
    (await traced(fixture, "&$filter=protocol%20eq%20'gRPC'&$orderby=id")).documents,
  );
  expect(calls.map(({ path, statusCode }) => [path, statusCode])).toEqual([
    ["/holdfast.management.v1.ManagementService/GetHost", 200],
    ["/holdfast.management.v1.ManagementService/DeleteTransfer", 404],
  ]);
  // A recorded request is readable by its link, like a document, and immutable.
  const link = String(found?.["documentSelfLink"]);
  expect(((await (await fetch(address(fixture) + link)).json()) as { path: string }).path).toBe(
    "/core/examples/nobody",
  );
  expect((await fetch(address(fixture) + link, { method: "DELETE" })).status).toBe(405);

  const task = await fetch(`${address(fixture)}/core/query-tasks`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      taskInfo: { isDirect: true },
      indexLink: "/core/operation-index",
      querySpec: {
        options: ["COUNT"],
        query: {
          booleanClauses: [
            { term: { propertyName: "path", matchType: "PREFIX", matchValue: "/core/examples/" } },
            { term: { propertyName: "statusCode", range: { type: "LONG", min: 400 } } },
          ],
        },
      },
    }),
  });
  expect(
    ((await task.json()) as { results: { documentCount: number } }).results.documentCount,
  ).toBe(1);

  expect(await patch(fixture, tracing("STOP"))).toBe(200);
  const before = (await traced(fixture)).documentCount;
  await fetch(`${address(fixture)}/core/examples`);
  // Requests are recorded after their response: time for one that must not be recorded.
  await sleep(50);
  // Recorded requests remain readable.
  expect((await traced(fixture)).documentCount).toBe(before);
});

test("keeps the newest requests up to the limit", async () => {
  const fixture = await hostFixture();
  const more = 300;
  fixture.host.control.configureOperationTracing(true);
  const total = limits.tracedOperations + more;
  // Sequential on one connection with a hundred in flight, which gives the highest rate.
  const socket = connect(fixture.host.httpAddress.port, "127.0.0.1").setEncoding("latin1");
  let answered = 0;
  socket.on("data", (text: string) => (answered += text.split("HTTP/1.1 404").length - 1));
  for (let sent = 0; sent < total; sent += 1) {
    socket.write(`GET /core/examples/n${sent} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
    await eventually(() => sent - answered < 100, { intervalMs: 1 });
  }
  await eventually(() => answered >= total);
  socket.destroy();
  // Requests are recorded after their response.
  await sleep(300);
  fixture.host.control.configureOperationTracing(false);
  const count = await fixture.host.documents.count("/core/operation-index", undefined);
  expect(count).toBe(limits.tracedOperations);
  expect(
    await fixture.host.documents.count("/core/operation-index", "path eq '/core/examples/n0'"),
  ).toBe(0);
  expect(
    await fixture.host.documents.count(
      "/core/operation-index",
      `path eq '/core/examples/n${total - 1}'`,
    ),
  ).toBe(1);
}, 60_000);

test("switches request logs on and off, and omits excluded paths", async () => {
  const lines: { path?: string; statusCode?: number; method?: string }[] = [];
  const logger = {
    info: (fields: object, message: string) => void (message === "request" && lines.push(fields)),
    warn() {},
    error() {},
  };
  const fixture = await hostFixture({ logger });
  const logging = (loggingInfo: object) =>
    patch(fixture, { kind: `${kindPrefix}ConfigureInboundRequestLogging`, loggingInfo });
  const send = async (path: string, pragma = "") =>
    void (await fetch(address(fixture) + path, { headers: { pragma } }));
  await send("/core/examples/a");
  expect(await logging({ enabled: true })).toBe(200);
  await send("/core/examples/b");
  await send("/core/node-groups/default");
  await send("/core/examples/c", "xn-fwd");
  await send("/core/examples/d", "no-cache;xn-synch-owner");
  expect(
    await logging({
      enabled: true,
      skipGossipRequests: false,
      skipForwardingRequests: false,
      skipSynchronizationRequests: false,
    }),
  ).toBe(200);
  await send("/core/node-groups/default");
  await send("/core/examples/c", "xn-fwd");
  await send("/core/examples/d", "no-cache;xn-synch-owner");
  expect(await logging({ enabled: false })).toBe(200);
  await send("/core/examples/e");
  // Requests are logged after their response: time for one that must not be logged.
  await sleep(50);
  const paths = lines.map(({ path }) => path).filter((path) => path !== "/core/management");
  expect(paths).toEqual([
    "/core/examples/b",
    "/core/node-groups/default",
    "/core/examples/c",
    "/core/examples/d",
  ]);
  expect(lines.find(({ path }) => path === "/core/examples/b")).toMatchObject({
    method: "GET",
    statusCode: 404,
    protocol: "HTTP/1.1",
  });
});

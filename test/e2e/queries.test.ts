import { formatTime } from "../../src/io/time.js";
import { eventually } from "../support/eventually.js";
import { factoryPath, hostFixture, type HostFixture } from "../support/host-fixture.js";

interface Task {
  message?: string;
  taskInfo: { stage: string; failure?: { message: string; statusCode: number } };
  results?: { documentLinks: string[]; documentCount: number; nextPageLink?: string };
  documentSelfLink: string;
}

const everything = { term: { propertyName: "documentKind", matchValue: "test:kind" } };

async function call(
  fixture: HostFixture,
  method: string,
  path: string,
  body?: object,
): Promise<{ status: number; task: Task }> {
  const { host, port } = fixture.host.httpAddress;
  const response = await fetch(`http://${host}:${port}${path}`, {
    method,
    ...(body && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, task: (text === "" ? {} : JSON.parse(text)) as Task };
}
const query = (fixture: HostFixture, querySpec: object, isDirect = true) =>
  call(fixture, "POST", "/core/query-tasks", {
    taskInfo: { isDirect },
    querySpec: { query: everything, ...querySpec },
  });

test("pages and polled results of a snapshot fail with a hint after a restore", async () => {
  const fixture = await hostFixture();
  for (let i = 0; i < 5; i += 1) await fixture.put(`d${i}`, { i });
  await fixture.backup("backup");
  await fixture.put("d0", { i: 100 });
  const first = (await query(fixture, { resultLimit: 2 })).task.results?.nextPageLink ?? "";
  const second = (await call(fixture, "GET", first)).task.results?.nextPageLink ?? "";
  const { documentSelfLink } = (await query(fixture, {}, false)).task;
  let polled: Task;
  do polled = (await call(fixture, "GET", documentSelfLink)).task;
  while (polled.taskInfo.stage !== "FINISHED");
  expect(polled.results?.documentCount).toBe(5);
  await fixture.restore("backup");
  for (const link of [first, second]) {
    const { status, task } = await call(fixture, "GET", link);
    expect(status).toBe(409);
    expect(task.message).toMatch(/Run the query again/);
  }
  expect(await call(fixture, "GET", documentSelfLink)).toMatchObject({
    status: 200,
    task: {
      taskInfo: {
        stage: "FAILED",
        failure: {
          statusCode: 409,
          message: expect.stringMatching(/Run the query again/) as unknown,
        },
      },
    },
  });
  expect((await query(fixture, {})).task.results?.documentCount).toBe(5);
});

test("answers queries of the past unchanged, also over a restore, and rejects compacted points in time", async () => {
  const fixture = await hostFixture({ retainedVersions: 2, historyMs: 0 });
  const times: number[] = [];
  for (let i = 0; i < 4; i += 1) times.push(await fixture.put("a", { i }));
  await eventually(
    async () => (await fixture.host.documents.listVersions(`${factoryPath}/a`, 10)).length === 2,
  );
  const [first = 0, , third = 0] = times;
  const snapshot = (at: number) =>
    query(fixture, { options: ["TIME_SNAPSHOT"], timeSnapshotBoundaryMicros: at });
  for (const answer of [
    await snapshot(first),
    await call(fixture, "GET", `${factoryPath}/a?timeSnapshotBoundaryMicros=${first}`),
    await call(fixture, "GET", `${factoryPath}?timeSnapshotBoundaryMicros=${first}`),
    await call(
      fixture,
      "GET",
      `/core/document-index?documentSelfLink=${factoryPath}/a&timeSnapshotBoundaryMicros=${first}`,
    ),
  ]) {
    expect(answer.status).toBe(400);
    expect(answer.task.message).toContain(
      `versions of ${factoryPath}/a from that time were compacted. Choose a time from ${formatTime(third)} `,
    );
  }
  const { documentSelfLink } = (
    await query(fixture, { options: ["TIME_SNAPSHOT"], timeSnapshotBoundaryMicros: first }, false)
  ).task;
  let polled: Task;
  do polled = (await call(fixture, "GET", documentSelfLink)).task;
  while (polled.taskInfo.stage !== "FAILED");
  expect(polled.taskInfo.failure).toMatchObject({
    statusCode: 400,
    message: expect.stringMatching(/were compacted/) as string,
  });
  expect((await snapshot(third)).task.results?.documentLinks).toEqual([`${factoryPath}/a`]);
  expect((await snapshot(first - 1)).task.results?.documentLinks).toEqual([]);
  await fixture.backup("backup");
  await fixture.put("b", {});
  await fixture.restore("backup");
  expect((await snapshot(first)).status).toBe(400);
  expect((await snapshot(third)).task.results?.documentLinks).toEqual([`${factoryPath}/a`]);
});

test("stops a query when its client disconnects or its task is deleted", async () => {
  const fixture = await hostFixture();
  for (let i = 0; i < 20; i += 1) await fixture.put(`d${i}`, { i, pad: "x".repeat(200_000) });
  const { host, port } = fixture.host.httpAddress;
  const response = await fetch(`http://${host}:${port}/core/query-tasks`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      taskInfo: { isDirect: true },
      querySpec: { query: everything, options: ["EXPAND_CONTENT"] },
    }),
  });
  await response.body?.cancel();
  const { documentSelfLink } = (await query(fixture, {}, false)).task;
  expect((await call(fixture, "DELETE", documentSelfLink)).status).toBe(200);
  expect((await call(fixture, "GET", documentSelfLink)).status).toBe(404);
  // Neither query delays the stop of the host.
  await fixture.stop();
});

test("completes a light query task soon although a hundred heavy ones precede it", async () => {
  const fixture = await hostFixture();
  await Promise.all(
    Array.from({ length: 1000 }, (_, i) =>
      fixture.put(`d${i}`, { name: `name-${i}-${"x".repeat(1000)}` }),
    ),
  );
  const terms = Array.from({ length: 60 }, (_, i) => ({
    occurance: "SHOULD_OCCUR",
    term: { propertyName: "name", matchType: "WILDCARD", matchValue: `*x*x*x*a${i}*` },
  }));
  const heavy: string[] = [];
  for (let i = 0; i < 100; i += 1)
    heavy.push(
      (await query(fixture, { options: ["COUNT"], query: { booleanClauses: terms } }, false)).task
        .documentSelfLink,
    );
  const light = (await query(fixture, { options: ["COUNT"] }, false)).task.documentSelfLink;
  let task: Task;
  do task = (await call(fixture, "GET", light)).task;
  while (task.taskInfo.stage !== "FINISHED");
  const stages = await Promise.all(
    heavy.map(async (link) => (await call(fixture, "GET", link)).task.taskInfo.stage),
  );
  expect(stages.filter((stage) => stage !== "FINISHED").length).toBeGreaterThan(50);
  for (const link of heavy) await call(fixture, "DELETE", link);
}, 60_000);

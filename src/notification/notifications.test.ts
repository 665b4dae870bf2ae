import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../../test/support/eventually.js";
import { faultyFileSystem } from "../../test/support/faulty-file-system.js";
import {
  answer,
  attempted,
  delivered,
  event,
  open,
  secret,
  verified,
} from "../../test/support/notification-fixture.js";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { startReceiver } from "../../test/support/webhook-receiver.js";
import { limits } from "../limits.js";

test("a delivery has the headers, signature and body of Standard Webhooks", async () => {
  const receiver = await startReceiver();
  const fixture = await open([`${receiver.origin}/hook?key=query-secret`]);
  const [queued] = await fixture.notifications.notify(event, fixture.targets);
  await delivered(fixture);
  const [request] = receiver.requests;
  if (!request) throw new Error("no request");
  expect(request).toMatchObject({ method: "POST", target: "/hook?key=query-secret" });
  expect(request.headers).toMatchObject({
    "content-type": "application/json",
    "webhook-id": queued?.id,
    "webhook-timestamp": String(Math.floor(fixture.clock.nowMs() / 1000)),
  });
  expect(queued?.id).toMatch(/^msg_[0-9a-f]{32}$/);
  expect(verified(request, fixture.clock)).toMatchObject({
    type: "policy.run.failed",
    timestamp: "2023-11-14T22:13:20.000000Z",
    data: { policy: "nightly", message: event.message },
  });
  expect(fixture.notifications.deliveries()).toEqual([
    expect.objectContaining({
      state: "DELIVERED",
      attempts: 1,
      lastStatus: 204,
      lastError: "",
      url: `${receiver.origin}/hook`,
      nextAttemptMicros: 0,
    }),
  ]);
  expect(fixture.problems).toEqual([]);
});

test("an event goes to each webhook that wants it, once", async () => {
  const receiver = await startReceiver();
  const fixture = await open(["/a", "/b", "/c", "/a"].map((path) => `${receiver.origin}${path}`));
  Object.assign(fixture.targets[1] ?? {}, { events: ["policy.overdue"] });
  await fixture.notifications.notify(event, fixture.targets);
  await delivered(fixture);
  expect(receiver.requests.map(({ target }) => target).sort()).toEqual(["/a", "/c"]);
  await expect(
    fixture.notifications.notify({ ...event, type: "policy.run.succeeded" }, fixture.targets),
  ).resolves.toEqual([]);
  expect(fixture.notifications.deliveries("other")).toEqual([]);
});

test("retries send the same body and webhook-id, with a new timestamp and signature", async () => {
  const receiver = await startReceiver();
  receiver.respond = answer(500);
  const fixture = await open([receiver.origin]);
  await fixture.notifications.notify(event, fixture.targets);
  await attempted(fixture, 1);
  const [failed] = fixture.notifications.deliveries();
  expect(failed).toMatchObject({ state: "PENDING", lastStatus: 500 });
  expect(failed?.lastError).toMatch(/responded to POST with 500/);
  await fixture.clock.advance(4_999);
  expect(receiver.requests).toHaveLength(1);
  receiver.respond = answer(200);
  await fixture.clock.advance(1_002);
  await delivered(fixture);
  const [first, second] = receiver.requests;
  if (!first || !second) throw new Error("no requests");
  verified(first, fixture.clock);
  verified(second, fixture.clock);
  expect(second.body).toBe(first.body);
  expect(second.headers["webhook-id"]).toBe(first.headers["webhook-id"]);
  for (const header of ["webhook-timestamp", "webhook-signature"])
    expect(second.headers[header]).not.toBe(first.headers[header]);
});

test("a delivery fails after ten attempts, and is reported", async () => {
  const receiver = await startReceiver();
  receiver.respond = answer(503);
  const fixture = await open([`${receiver.origin}/hook`]);
  await fixture.notifications.notify(event, fixture.targets);
  const startMs = fixture.clock.nowMs();
  for (const [i, pauseMs] of limits.deliveryRetriesMs.entries()) {
    await attempted(fixture, i + 1);
    const [
      { nextAttemptMicros, lastAttemptMicros } = { nextAttemptMicros: 0, lastAttemptMicros: 0 },
    ] = fixture.notifications.deliveries();
    const plannedMs = (nextAttemptMicros - lastAttemptMicros) / 1000;
    expect(plannedMs).toBeGreaterThanOrEqual(pauseMs);
    expect(plannedMs).toBeLessThanOrEqual(pauseMs * (1 + limits.deliveryJitterPercent / 100));
    await fixture.clock.advance(plannedMs);
  }
  await delivered(fixture, "FAILED");
  expect(receiver.requests).toHaveLength(10);
  expect(fixture.clock.nowMs() - startMs).toBeGreaterThan(3 * 86_400_000);
  expect(fixture.problems).toEqual([
    expect.objectContaining({ message: expect.stringMatching(/in 10 attempts.*503/) }),
  ]);
  await fixture.clock.advance(30 * 86_400_000);
  expect(receiver.requests).toHaveLength(10);
});

test("Retry-After postpones all deliveries to the URL", async () => {
  const receiver = await startReceiver();
  receiver.respond = answer(429, { "retry-after": "60" });
  const fixture = await open([receiver.origin]);
  const sent = [1, 2].map(() => fixture.notifications.notify(event, fixture.targets));
  await Promise.all(sent);
  await eventually(() => fixture.notifications.deliveries().some(({ attempts }) => attempts > 0));
  receiver.respond = answer(200);
  await fixture.clock.advance(59_000);
  expect(receiver.requests).toHaveLength(1);
  await fixture.clock.advance(2_000);
  await delivered(fixture);
  expect(receiver.requests).toHaveLength(3);
});

test("410 Gone disables a webhook until a test of it succeeds", async () => {
  const receiver = await startReceiver();
  receiver.respond = answer(410);
  const fixture = await open([receiver.origin]);
  const { notifications, targets, problems } = fixture;
  await Promise.all([notifications.notify(event, targets), notifications.notify(event, targets)]);
  await delivered(fixture, "FAILED");
  const [unsent] = await notifications.notify(event, targets);
  expect(unsent).toMatchObject({
    state: "FAILED",
    attempts: 0,
    lastError: expect.stringMatching(/disabled because it responded with 410 Gone/),
  });
  expect(receiver.requests).toHaveLength(1);
  expect(problems).toHaveLength(1);

  receiver.respond = answer(200);
  await fixture.clock.advance(1);
  await notifications.notify({ ...event, type: "policy.test" }, targets);
  await eventually(() => notifications.deliveries()[0]?.state === "DELIVERED");
  await notifications.notify(event, targets);
  await eventually(() => notifications.deliveries()[0]?.state === "DELIVERED");
  expect(receiver.requests).toHaveLength(3);
});

test.each([
  ["a metadata service", "http://169.254.169.254/latest", true],
  ["a mapped metadata service", "http://[::ffff:a9fe:a9fe]/", true],
  ["a loopback address", "http://127.0.0.1:9/", false],
  ["a name of a loopback address", "http://localhost:9/", false],
])("does not connect to %s", async (_what, url, allowPrivate) => {
  const fixture = await open([url], { allowPrivate });
  await fixture.notifications.notify(event, fixture.targets);
  await delivered(fixture, "FAILED");
  expect(fixture.problems).toEqual([expect.objectContaining({ reason: "ADDRESS_NOT_ALLOWED" })]);
});

test("pending deliveries survive a restart", async () => {
  const receiver = await startReceiver();
  receiver.respond = answer(500);
  const before = await open([receiver.origin]);
  const [queued] = await before.notifications.notify(event, before.targets);
  await attempted(before, 1);
  await before.notifications.close();
  await expect(before.notifications.notify(event, before.targets)).rejects.toMatchObject({
    reason: "SHUTTING_DOWN",
  });

  receiver.respond = answer(200);
  const { directory, clock } = before;
  const after = await open([receiver.origin], { directory, clock });
  expect(after.notifications.deliveries()).toEqual([
    expect.objectContaining({ id: queued?.id, state: "PENDING", attempts: 1 }),
  ]);
  await clock.advance(6_000);
  await delivered(after);
  const ids = receiver.requests.map(({ headers }) => headers["webhook-id"]);
  expect(ids).toEqual([queued?.id, queued?.id]);
  expect(receiver.requests[1]?.body).toBe(receiver.requests[0]?.body);
});

test("close aborts a request in progress, whose delivery stays pending", async () => {
  const receiver = await startReceiver();
  receiver.respond = () => {};
  const fixture = await open([receiver.origin]);
  await fixture.notifications.notify(event, fixture.targets);
  await eventually(() => receiver.requests.length === 1);
  await fixture.notifications.close();
  expect(fixture.notifications.deliveries()).toEqual([
    expect.objectContaining({ state: "PENDING", attempts: 0, lastError: "" }),
  ]);
  expect(fixture.clock.pending()).toEqual([]);
});

test("a delivery whose webhook was removed fails", async () => {
  const receiver = await startReceiver();
  const fixture = await open([receiver.origin]);
  const { notifications, targets } = fixture;
  const passed = targets.splice(0);
  await notifications.notify(event, passed);
  await delivered(fixture, "FAILED");
  expect(receiver.requests).toEqual([]);
  const [failed] = notifications.deliveries();
  expect(failed?.lastError).toMatch(/no longer has this webhook/);
  await expect(notifications.replay(failed?.id ?? "")).rejects.toMatchObject({
    reason: "REQUEST_INVALID",
  });
});

test("replays a delivery with the same webhook-id and body, signed by the current secret", async () => {
  const receiver = await startReceiver();
  const fixture = await open([receiver.origin]);
  const { notifications, targets } = fixture;
  await notifications.notify(event, targets);
  await delivered(fixture);
  const [first] = notifications.deliveries();
  const replayed = await notifications.replay(first?.id ?? "");
  expect(replayed).toMatchObject({ id: first?.id, state: "PENDING" });
  await delivered(fixture);
  expect(notifications.deliveries()).toEqual([expect.objectContaining({ attempts: 2 })]);
  const [one, two] = receiver.requests;
  expect(two?.body).toBe(one?.body);
  expect(two?.headers["webhook-id"]).toBe(one?.headers["webhook-id"]);
  await expect(notifications.replay("msg_unknown")).rejects.toMatchObject({
    reason: "DELIVERY_NOT_FOUND",
  });
});

test("secrets are neither in the file, nor in deliveries, nor in errors", async () => {
  const receiver = await startReceiver();
  receiver.respond = answer(410);
  const fixture = await open([
    `${receiver.origin}/hook?key=query-secret`,
    "http://127.0.0.1:9/refused?key=query-secret",
    "http://169.254.169.254/?key=query-secret",
  ]);
  const { notifications, targets, directory, problems } = fixture;
  await notifications.notify(event, targets);
  await eventually(() => notifications.deliveries().every(({ lastError }) => lastError !== ""));
  const beats = ["http://169.254.169.254/path-secret?key=query-secret"];
  notifications.heartbeat("nightly", beats);
  await fixture.clock.advance(60_000);
  await eventually(() =>
    notifications.heartbeats("nightly", beats).some(({ lastError }) => lastError !== ""),
  );
  await notifications.close();
  const problemTexts = problems.map((each) => `${each.stack} ${JSON.stringify(each.metadata)}`);
  expect(problemTexts.length).toBeGreaterThan(1);
  const seen = [
    readFileSync(join(directory, "deliveries.json"), "utf8"),
    JSON.stringify(notifications.deliveries()),
    JSON.stringify(notifications.heartbeats("nightly", beats)),
    ...problemTexts,
  ].join("\n");
  for (const hidden of [secret, secret.slice(6), "hidden-key", "query-secret", "path-secret"])
    expect(seen).not.toContain(hidden);
});

test("starts without deliveries if the file is damaged, and keeps the file", async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, "deliveries.json"), "[{]");
  const { notifications, problems } = await open([], { directory });
  expect(notifications.deliveries()).toEqual([]);
  expect(problems).toEqual([expect.objectContaining({ reason: "STORAGE_FAILED" })]);
});

test("an event that cannot be recorded is sent all the same", async () => {
  const receiver = await startReceiver();
  const files = faultyFileSystem();
  const fixture = await open([receiver.origin], { files });
  files.arm("write", 1, "ENOSPC");
  await expect(fixture.notifications.notify(event, fixture.targets)).rejects.toBeDefined();
  await delivered(fixture);
  expect(receiver.requests).toHaveLength(1);
});

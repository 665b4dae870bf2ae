import { eventually } from "../../test/support/eventually.js";
import { ManualClock } from "../../test/support/manual-clock.js";
import { startReceiver } from "../../test/support/webhook-receiver.js";
import type { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { Heartbeats } from "./heartbeats.js";

const opened: Heartbeats[] = [];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

function open() {
  const clock = new ManualClock();
  const problems: HostError[] = [];
  const heartbeats = new Heartbeats({
    network: { policy: { allowPrivate: true, allowed: [] }, tls: {}, clock },
    onProblem: (error) => void problems.push(error),
  });
  opened.push(heartbeats);
  return { heartbeats, clock, problems };
}

test("requests a URL with GET, and records the success", async () => {
  const receiver = await startReceiver();
  const { heartbeats, clock, problems } = open();
  heartbeats.call("nightly", `${receiver.origin}/ping/key?run=1`);
  const url = `${receiver.origin}/ping/key?run=1`;
  await eventually(() => heartbeats.results("nightly", [url])[0]?.lastSuccessMicros);
  expect(receiver.requests).toMatchObject([{ method: "GET", target: "/ping/key?run=1", body: "" }]);
  expect(heartbeats.results("nightly", [url, `${receiver.origin}/other`])).toEqual([
    {
      policy: "nightly",
      url: receiver.origin,
      lastSuccessMicros: clock.nowMs() * 1000,
      lastFailureMicros: 0,
      lastError: "",
    },
  ]);
  expect(heartbeats.results("other", [url])).toEqual([]);
  expect(problems).toEqual([]);
});

test("retries a failed request, and reports the first of several failures", async () => {
  const receiver = await startReceiver();
  receiver.respond = (_request, response) => void response.writeHead(500).end();
  const { heartbeats, clock, problems } = open();
  for (let round = 1; round <= 2; round += 1) {
    heartbeats.call("nightly", receiver.origin);
    for (let attempt = 1; attempt <= limits.heartbeatAttempts; attempt += 1) {
      const expected = (round - 1) * limits.heartbeatAttempts + attempt;
      await eventually(async () => {
        if (receiver.requests.length < expected) await clock.advance(limits.heartbeatRetryMs);
        return receiver.requests.length === expected && receiver.inFlight.now === 0;
      });
    }
    await eventually(() => heartbeats.results("nightly", [receiver.origin])[0]?.lastError);
    await clock.advance(limits.heartbeatIntervalMs);
  }
  expect(problems).toHaveLength(1);
  expect(problems[0]?.message).toMatch(/heartbeat of the policy nightly failed.*500/);
});

test("calls within the interval become one request", async () => {
  const receiver = await startReceiver();
  const { heartbeats, clock } = open();
  for (let i = 0; i < 100; i += 1) heartbeats.call("nightly", receiver.origin);
  await eventually(() => heartbeats.results("nightly", [receiver.origin])[0]?.lastSuccessMicros);
  await eventually(() => clock.pending().length === 1);
  for (let i = 0; i < 100; i += 1) heartbeats.call("nightly", receiver.origin);
  await clock.advance(limits.heartbeatIntervalMs - 1);
  expect(receiver.requests).toHaveLength(1);
  await clock.advance(1);
  await eventually(() => receiver.requests.length === 2);
  await eventually(() => clock.pending()[0] === limits.heartbeatIntervalMs);
  await clock.advance(limits.heartbeatIntervalMs);
  expect(receiver.requests).toHaveLength(2);
});

test("requests that get no response are bounded, and close aborts them", async () => {
  const receiver = await startReceiver();
  receiver.respond = () => {};
  const { heartbeats, problems, clock } = open();
  for (let i = 0; i <= limits.heartbeats; i += 1)
    heartbeats.call("nightly", `${receiver.origin}/${i}`);
  const urls = Array.from({ length: limits.heartbeats + 1 }, (_, i) => `${receiver.origin}/${i}`);
  expect(heartbeats.results("nightly", urls)).toHaveLength(limits.heartbeats);
  expect(problems).toEqual([expect.objectContaining({ reason: "OVERLOADED" })]);
  await eventually(() => receiver.requests.length === limits.concurrentHeartbeats);
  await heartbeats.close();
  expect(receiver.inFlight.most).toBe(limits.concurrentHeartbeats);
  expect(clock.pending()).toEqual([]);
});

test("reports an invalid URL without repeating it", async () => {
  const { heartbeats, problems } = open();
  heartbeats.call("nightly", "hidden:");
  await eventually(() => problems.length === 1);
  expect(problems[0]?.message).not.toContain("hidden");
});

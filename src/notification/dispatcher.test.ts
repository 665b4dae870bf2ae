import { eventually } from "../../test/support/eventually.js";
import {
  answer,
  attempted,
  delivered,
  event,
  open,
} from "../../test/support/notification-fixture.js";
import { startReceiver } from "../../test/support/webhook-receiver.js";
import { limits } from "../limits.js";

test("does not follow redirects", async () => {
  const receiver = await startReceiver();
  const other = await startReceiver();
  receiver.respond = answer(307, { location: other.origin });
  const fixture = await open([receiver.origin]);
  await fixture.notifications.notify(event, fixture.targets);
  await attempted(fixture, 1);
  expect(fixture.notifications.deliveries()).toEqual([
    expect.objectContaining({
      state: "PENDING",
      lastStatus: 307,
      lastError: expect.stringMatching(/redirects are not followed/),
    }),
  ]);
  expect(other.requests).toEqual([]);
});

test("a server that does not respond fails the attempt after the timeout", async () => {
  const receiver = await startReceiver();
  receiver.respond = () => {};
  const fixture = await open([receiver.origin]);
  await fixture.notifications.notify(event, fixture.targets);
  await eventually(() => receiver.requests.length === 1);
  await fixture.clock.advance(limits.deliveryTimeoutMs);
  await attempted(fixture, 1);
  expect(fixture.notifications.deliveries()).toEqual([
    expect.objectContaining({
      state: "PENDING",
      lastStatus: 0,
      lastError: expect.stringMatching(/did not respond within 15 s/),
    }),
  ]);
  await eventually(() => receiver.inFlight.now === 0);
});

test("a response without an end is cut, and its status counts", async () => {
  const receiver = await startReceiver();
  let sentBytes = 0;
  receiver.respond = (_request, response) => {
    response.writeHead(200);
    const send = () => {
      while (!response.destroyed) {
        sentBytes += 64 * 1024;
        if (!response.write(Buffer.alloc(64 * 1024))) return void response.once("drain", send);
      }
    };
    send();
  };
  const fixture = await open([receiver.origin]);
  await fixture.notifications.notify(event, fixture.targets);
  await delivered(fixture);
  await eventually(() => receiver.inFlight.now === 0);
  expect(sentBytes).toBeGreaterThan(limits.deliveryAnswerBytes);
});

test("a response whose body stalls is cut at the timeout, and its status counts", async () => {
  const receiver = await startReceiver();
  receiver.respond = (_request, response) => void response.writeHead(200).write("x");
  const fixture = await open([receiver.origin]);
  await fixture.notifications.notify(event, fixture.targets);
  await eventually(() => receiver.requests.length === 1);
  await eventually(async () => {
    await fixture.clock.advance(limits.deliveryTimeoutMs);
    return fixture.notifications.deliveries()[0]?.state === "DELIVERED";
  });
});

test("sends one request at a time to a URL, and a few in total", async () => {
  const receiver = await startReceiver();
  const waiting: { target: string; release(): void }[] = [];
  receiver.respond = ({ target }, response) => {
    expect(waiting.map((each) => each.target)).not.toContain(target);
    waiting.push({ target, release: () => void response.writeHead(200).end() });
  };
  const paths = ["/a", "/b", "/c", "/d", "/e", "/f"];
  const fixture = await open(paths.map((path) => `${receiver.origin}${path}`));
  await fixture.notifications.notify(event, fixture.targets);
  await fixture.notifications.notify(event, fixture.targets);
  await eventually(() => {
    waiting.shift()?.release();
    return fixture.notifications.deliveries().every(({ state }) => state === "DELIVERED");
  });
  expect(receiver.requests).toHaveLength(12);
  expect(receiver.inFlight.most).toBeLessThanOrEqual(limits.concurrentDeliveries);
});

import { limits } from "../limits.js";
import { eventBody, policyEventTypes, wantsEvent, type PolicyEvent } from "./event.js";

const event: PolicyEvent = {
  type: "policy.run.failed",
  timeMicros: 1_700_000_000_123_456,
  policy: "nightly",
  indexLink: "/core/document-index",
  host: "db1",
  message: "Cannot back up to /mnt/b. Mount the disk.",
  details: { reason: "DESTINATION_MISSING", attempts: 3 },
};

test("a body has the type, the time of the event and its data", () => {
  expect(JSON.parse(eventBody(event))).toEqual({
    type: "policy.run.failed",
    timestamp: "2023-11-14T22:13:20.123456Z",
    data: {
      policy: "nightly",
      indexLink: "/core/document-index",
      host: "db1",
      message: "Cannot back up to /mnt/b. Mount the disk.",
      details: { reason: "DESTINATION_MISSING", attempts: 3 },
    },
  });
});

test("cuts a long message, and leaves out details that make the body too large", () => {
  const long = "x".repeat(limits.notificationChars * 2);
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`field${i}`, long]));
  const body = eventBody({ ...event, message: long, details: many });
  expect(Buffer.byteLength(body)).toBeLessThanOrEqual(limits.notificationBytes);
  expect(JSON.parse(body).data).toMatchObject({
    message: long.slice(0, limits.notificationChars),
    details: {},
  });
});

test("a webhook without chosen events gets all but successful runs, and every webhook gets tests", () => {
  const target = { url: "http://a", secret: "" };
  const types = (events: string[]) =>
    policyEventTypes.filter((type) => wantsEvent({ ...target, events }, type));
  expect(types([])).toEqual(policyEventTypes.filter((type) => type !== "policy.run.succeeded"));
  expect(types(["policy.run.succeeded"])).toEqual(["policy.run.succeeded", "policy.test"]);
});

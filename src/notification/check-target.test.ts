import { HostError } from "../errors.js";
import { limits } from "../limits.js";
import { checkHeartbeatUrl, checkWebhook } from "./check-target.js";

const secretOf = (bytes: number) => `whsec_${Buffer.alloc(bytes, 7).toString("base64")}`;
const valid = { url: "https://hooks.test/a?key=1", secret: secretOf(32), events: [] };

function errorOf(work: () => void): HostError {
  try {
    work();
  } catch (error) {
    if (error instanceof HostError) return error;
  }
  throw new Error("no HostError");
}

test.each([
  ["a query", valid],
  ["an address and a port", { ...valid, url: "http://[::1]:8080" }],
  ["the shortest key", { ...valid, secret: secretOf(24) }],
  ["the longest key", { ...valid, secret: secretOf(64) }],
  ["chosen events", { ...valid, events: ["policy.run.succeeded", "policy.test"] }],
])("accepts a webhook with %s", (_what, target) => {
  expect(() => checkWebhook(target, "webhook")).not.toThrow();
});

test.each([
  ["another scheme", "ftp://hooks.test/hidden"],
  ["no host", "https:///hidden"],
  ["a password", "https://user:hidden@hooks.test/"],
  ["a fragment", "https://hooks.test/#hidden"],
  ["a space", "https://hooks.test/hidden x"],
  ["a line break", "https://hooks.test/hidden\r\nx: y"],
  ["an invalid port", "https://hooks.test:70000/hidden"],
  ["too many characters", `https://hooks.test/hidden${"x".repeat(limits.notificationUrlChars)}`],
])("rejects a URL with %s, and does not repeat it", (_what, url) => {
  for (const check of [
    () => checkWebhook({ ...valid, url }, "hook"),
    () => checkHeartbeatUrl(url, "hook.url"),
  ]) {
    const error = errorOf(check);
    expect(error).toMatchObject({ reason: "REQUEST_INVALID", metadata: { field: "hook.url" } });
    expect(error.message).not.toContain("hidden");
  }
});

test.each([
  ["no prefix", secretOf(32).slice("whsec_".length)],
  ["a short key", secretOf(23)],
  ["a long key", secretOf(65)],
  ["a huge key", secretOf(1 << 20)],
  ["the alphabet of URLs", `whsec_${"_-".repeat(16)}`],
  ["missing padding", secretOf(32).replace(/=+$/, "")],
  ["a line break", `${secretOf(24)}\n`],
  ["nothing", ""],
])("rejects a secret with %s, and does not repeat it", (_what, secret) => {
  const error = errorOf(() => checkWebhook({ ...valid, secret }, "hook"));
  expect(error).toMatchObject({ reason: "REQUEST_INVALID", metadata: { field: "hook.secret" } });
  if (secret !== "") expect(error.message).not.toContain(secret);
});

test("rejects an unknown type of event and names it", () => {
  const events = ["policy.test", "policy.exploded"];
  const error = errorOf(() => checkWebhook({ ...valid, events }, "hook"));
  expect(error.metadata).toEqual({ field: "hook.events[1]" });
  expect(error.message).toContain('"policy.exploded"');
});

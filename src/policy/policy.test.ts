import type { HostError } from "../errors.js";
import { checkPolicy, comparableUri, type PolicySpec } from "./policy.js";

const policy = (destination: string, copy: string): PolicySpec => ({
  name: "daily",
  indexLink: "/core/document-index",
  destination,
  recipients: [],
  schedule: { kind: "interval", everyMs: 3_600_000 },
  timeZone: "UTC",
  jitterMs: 0,
  copies: [{ destination: copy }],
  webhooks: [],
  heartbeats: [],
  acknowledge: "LOCAL",
  whenUnreachable: "FAIL",
});

test.each([
  ["file:///backups/a", "file:/backups/a"],
  ["file:///backups/a", "file:///backups/a/"],
  ["file:///backups/a", "file://localhost/backups/a"],
  ["file:///backups/a", "FILE:///backups/a"],
  ["file:///backups/a", "file:///backups/b/../a"],
  ["file:///backups/a", "file:///backups/./a//"],
  ["s3://bucket/a", "s3://bucket/a/"],
])("refuses a copy to the destination itself: %s and %s", (destination, copy) => {
  expect(comparableUri(copy)).toBe(comparableUri(destination));
  let thrown: HostError | undefined;
  try {
    checkPolicy(policy(destination, copy));
  } catch (error) {
    thrown = error as HostError;
  }
  expect(thrown).toMatchObject({
    reason: "REQUEST_INVALID",
    metadata: { field: "copies[0].destination" },
  });
});

test.each([
  ["file:///backups/a", "file:///backups/b"],
  ["file:///backups/a", "file:///backups/A"],
  ["s3://bucket/a", "s3://bucket/b"],
  ["s3://bucket/a", "s3+https://store.test/bucket/a"],
])("accepts a copy elsewhere: %s and %s", (destination, copy) => {
  expect(() => checkPolicy(policy(destination, copy))).not.toThrow();
});

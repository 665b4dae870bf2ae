import { create, toJson, type MessageInitShape } from "@bufbuild/protobuf";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { BackupPolicySchema } from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { clearableFields } from "./flags.js";
import { retentionOf, withSettings, type PolicySettings } from "./policy-settings.js";

const full = {
  name: "nightly",
  destination: "file:///backups",
  schedule: { when: { case: "cron", value: "0 3 * * *" }, timeZone: "Europe/Berlin" },
  jitter: "5m",
  compression: 3,
  recipients: ["age1one"],
  retention: { keepLast: 3, keepDaily: 7 },
  window: "35d",
  copies: [
    {
      destination: "s3://bucket/shop",
      schedule: { when: { case: "cron", value: "0 4 * * *" }, timeZone: "Europe/Berlin" },
      maxLag: "1d",
    },
  ],
  verify: { schedule: { when: { case: "cron", value: "0 5 * * *" } }, level: 3 },
  restoreTest: { schedule: { when: { case: "cron", value: "0 6 * * 0" } } },
  maxAge: "2d",
  notify: {
    webhooks: [{ url: "https://hooks.example/", events: ["policy.run.failed"] }],
    heartbeats: ["https://beat.example/"],
  },
  acknowledge: 2,
  whenUnreachable: 2,
  etag: "7",
} satisfies MessageInitShape<typeof BackupPolicySchema>;

const change = (flags: PolicySettings, from: MessageInitShape<typeof BackupPolicySchema> = full) =>
  toJson(BackupPolicySchema, withSettings(create(BackupPolicySchema, from), flags));
const unchanged = toJson(BackupPolicySchema, create(BackupPolicySchema, full));

test("changes only what the flags give, and keeps the etag", () => {
  expect(change({ maxAge: "3d" })).toEqual({ ...(unchanged as object), maxAge: "3d" });
  expect(change({ keepDaily: "14", keepWithin: "30d" })).toEqual({
    ...(unchanged as object),
    retention: { keepLast: 3, keepDaily: 14, keepWithin: "30d" },
  });
});

test("does not change the given policy", () => {
  const policy = create(BackupPolicySchema, full);
  withSettings(policy, { clear: ["jitter"], keepLast: "1", copyMaxLag: "1h", cron: "1 1 * * *" });
  expect(toJson(BackupPolicySchema, policy)).toEqual(unchanged);
});

test("replaces the schedule and keeps its time zone", () => {
  expect(change({ every: "6h" })).toMatchObject({
    schedule: { interval: "6h", timeZone: "Europe/Berlin" },
  });
  expect(change({ continuous: true })).toMatchObject({ schedule: { continuous: true } });
});

test("sets the time zone of all schedules", () => {
  const zone = { timeZone: "UTC" };
  expect(change({ timeZone: "UTC" })).toMatchObject({
    schedule: zone,
    copies: [{ schedule: zone }],
    verify: { schedule: zone },
    restoreTest: { schedule: zone },
  });
});

test("keeps the fields of a copy and of a webhook that stay", () => {
  expect(change({ copy: ["s3://bucket/shop", "/mnt/copy"] })).toMatchObject({
    copies: [
      { destination: "s3://bucket/shop", maxLag: "1d" },
      { destination: "file:///mnt/copy" },
    ],
  });
  expect(change({ webhook: ["https://hooks.example/"] })).toEqual(unchanged);
});

test("reads the secret of webhooks from a file", () => {
  const file = join(temporaryDirectory(), "secret");
  writeFileSync(file, "whsec_abc\n");
  expect(
    change({ webhook: ["https://new.example/"], webhookSecretFile: file }, { name: "x" }),
  ).toMatchObject({ notify: { webhooks: [{ url: "https://new.example/", secret: "whsec_abc" }] } });
});

test("--clear removes every optional field, before other flags apply", () => {
  expect(change({ clear: [...clearableFields] })).toEqual({
    name: "nightly",
    destination: "file:///backups",
    schedule: { cron: "0 3 * * *" },
    notify: {},
    etag: "7",
  });
  expect(change({ clear: ["retention"], keepLast: "1" })).toMatchObject({
    retention: { keepLast: 1 },
  });
  expect(change({ clear: ["copy-schedule"] })).toMatchObject({
    copies: [{ destination: "s3://bucket/shop", maxLag: "1d" }],
  });
});

test.each<[string, PolicySettings, string]>([
  ["two schedules", { cron: "* * * * *", every: "1h" }, "Use one of --cron"],
  ["a copy schedule without copies", { copyCron: "* * * * *" }, "--copy-cron requires a copy"],
  ["a lag without copies", { copyMaxLag: "1h" }, "--copy-max-lag requires a copy"],
  ["a level without verification", { verifyLevel: "full" }, "--verify-level requires"],
  ["a new webhook without a secret", { webhook: ["https://x/"] }, "requires --webhook-secret-file"],
  ["events without a webhook", { webhookEvent: ["policy.overdue"] }, "--webhook-event requires"],
  ["a count that is no number", { keepDaily: "many" }, "--keep-daily must be a whole number"],
])("rejects %s", (_case, flags, message) =>
  expect(() => change(flags, { name: "x" })).toThrow(message),
);

test("replaces the events of all webhooks", () => {
  expect(change({ webhookEvent: ["policy.overdue", "policy.recovered"] })).toMatchObject({
    notify: { webhooks: [{ events: ["policy.overdue", "policy.recovered"] }] },
  });
});

test("returns no rules of retention if no flag is given", () => {
  expect(retentionOf({})).toBeUndefined();
  expect(retentionOf({ keepLast: "0" })).toMatchObject({ keepLast: 0 });
});

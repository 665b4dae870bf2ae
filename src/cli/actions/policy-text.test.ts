import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  BackupPolicySchema,
  PolicyRetentionSchema,
  PolicyState,
  PolicyStatusSchema,
  type PolicyNotificationsSchema,
  type PolicyScheduleSchema,
} from "../../../gen/ts/holdfast/management/v1/policy_pb.js";
import { timeFormatter } from "../time.js";
import { policyTable, policyText, retentionText } from "./policy-text.js";

const now = 1_796_000_000_000_000n;
const hour = 3_600_000_000n;
const context = { formatTime: timeFormatter(false) };

interface Fields {
  window?: string;
  schedule?: MessageInitShape<typeof PolicyScheduleSchema>;
  notify?: MessageInitShape<typeof PolicyNotificationsSchema>;
}

const policy = (status: MessageInitShape<typeof PolicyStatusSchema>, more: Fields = {}) =>
  create(BackupPolicySchema, {
    name: "nightly",
    destination: "file:///backups",
    schedule: { when: { case: "cron", value: "0 3 * * *" } },
    ...more,
    status: create(PolicyStatusSchema, { state: PolicyState.ACTIVE, healthy: true, ...status }),
  });

const row = (...given: Parameters<typeof policy>) =>
  policyTable([policy(...given)], now)
    .split("\n")[1]
    ?.split(/ {2,}/);

test("the table shows ages, the next run, the window and the last proven restore", () => {
  expect(
    row(
      {
        lastSuccessMicros: now - hour,
        nextRunsMicros: [now + 5n * hour],
        windowFromMicros: now - 48n * hour,
        windowToMicros: now,
        destinations: [
          { lastProvenRestoreMicros: now - 3n * hour },
          { lastProvenRestoreMicros: now - 2n * hour },
        ],
      },
      { window: "35d" },
    ),
  ).toEqual(["nightly", "active", "1h ago", "in 5h", "2d of 35d", "2h ago", "healthy"]);
});

test("the table shows the first problem, and how many more there are", () => {
  expect(row({ healthy: false, problems: ["Disk full.", "Copy late."] })?.at(-1)).toBe(
    "UNHEALTHY: Disk full. (and 1 more)",
  );
});

test("a policy without backups has no window, and a complete one has no start", () => {
  expect(row({})?.[4]).toBe("none");
  expect(row({ windowToMicros: now })?.[4]).toBe("complete history");
});

test("a paused policy has no next run, and a continuous one runs after each write", () => {
  expect(row({ state: PolicyState.PAUSED })?.[3]).toBe("paused");
  const continuous = { schedule: { when: { case: "continuous" as const, value: true } } };
  expect(row({}, continuous)?.[3]).toBe("after each write");
});

test("the text shows all next runs, destinations and problems, but no secrets", () => {
  const text = policyText(
    context,
    policy(
      {
        healthy: false,
        problems: ["Disk full."],
        nextRunsMicros: [now, now + hour],
        destinations: [
          {
            uri: "s3://bucket/shop",
            copy: true,
            lagMicros: hour,
            lastRestoreTest: { passed: true, timeMicros: now, documents: 2n, restoreMicros: hour },
          },
        ],
      },
      { notify: { heartbeats: ["https://beat.example/x?key=secret"] } },
    ),
    now,
  );
  expect(text).toContain("next runs            2026-11-30T");
  expect(text).toContain("Problem: Disk full.");
  expect(text).toMatch(/s3:\/\/bucket\/shop \(copy\) +never +1h .*2 documents in 1h, not compared/);
  expect(text).toContain("https://beat.example/x");
  expect(text).not.toContain("secret");
});

test("retention without rules keeps all backups", () => {
  expect(retentionText(undefined)).toBe("keep all backups");
  expect(retentionText(create(PolicyRetentionSchema, { keepLast: 3, keepWithin: "30d" }))).toBe(
    "keep 3 last, all within 30d",
  );
});

import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { parsePolicyFile } from "../host/policy-file.js";
import { readPolicyFile } from "./read-policy-file.js";

async function read(text: string) {
  const path = join(temporaryDirectory(), "policy.yaml");
  writeFileSync(path, text);
  return readPolicyFile(path);
}

test("reads a policy with fields in snake_case and camelCase", async () => {
  const { policies, isList } = await read(
    "name: nightly\ndestination: backups\nschedule: { cron: 0 3 * * *, time_zone: Europe/Berlin }\nretention: { keep_daily: 7, keepMonthly: 12 }\ncopies: [{ destination: s3://bucket/shop }]\nstatus: { healthy: true }\n",
  );
  expect(isList).toBe(false);
  expect(policies).toMatchObject([
    {
      name: "nightly",
      destination: `file://${resolve("backups")}`,
      schedule: { when: { case: "cron", value: "0 3 * * *" }, timeZone: "Europe/Berlin" },
      retention: { keepDaily: 7, keepMonthly: 12 },
      copies: [{ destination: "s3://bucket/shop" }],
    },
  ]);
  expect(policies[0]).not.toHaveProperty("status.healthy");
});

test("reads values of enums as the command line has them, and as REST has them", async () => {
  const { policies } = await read(
    "[{acknowledge: copied, when_unreachable: degrade, compression: zstd, verify: {level: test-restore}}, {acknowledge: ACKNOWLEDGE_COPIED, whenUnreachable: WHEN_UNREACHABLE_DEGRADE, compression: COMPRESSION_ZSTD, verify: {level: VERIFY_LEVEL_TEST_RESTORE}}]",
  );
  expect(policies[0]).toMatchObject({ acknowledge: 2, whenUnreachable: 2, compression: 3 });
  expect(policies[0]).toEqual(policies[1]);
});

test("reads a list, also in JSON", async () => {
  const { policies, isList } = await read('[{"name":"a"},{"name":"b"}]');
  expect(isList).toBe(true);
  expect(policies.map(({ name }) => name)).toEqual(["a", "b"]);
});

test.each([
  ["an unknown field", { scedule: {} }, "unknown field scedule of BackupPolicy"],
  ["a nested unknown field", { schedule: { crom: "x" } }, "unknown field crom of PolicySchedule"],
  ["a wrong type", { name: 3 }, "invalid value of BackupPolicy.name"],
  ["two schedules", { schedule: { cron: "a", interval: "b" } }, "given in several ways"],
  ["an unknown value", { compression: "lz4" }, "of Compression. Use one of none, gzip, zstd"],
  ["a value that is no text", { acknowledge: {} }, "of Acknowledge. Use one of local, copied"],
  ["a text", "nightly", "is not a mapping"],
  ["nothing", [], "contains no policies"],
])("rejects %s", (_case, content, message) =>
  expect(() => parsePolicyFile("p.yaml", JSON.stringify(content))).toThrow(message),
);

test("names the position in a list", () => {
  expect(() => parsePolicyFile("f.yaml", JSON.stringify([{ name: "a" }, { name: 1 }]))).toThrow(
    /^f\.yaml, policy 2 /,
  );
});

test("errors contain no values, which may be secrets", async () => {
  const secret = "whsec_c2VjcmV0";
  const texts = [`secret: ${secret}: x: [`, `notify: { webhooks: [{ secret: [${secret}] }] }`];
  for (const text of texts) {
    const error = await read(text).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ reason: "CONFIGURATION_INVALID" });
    expect((error as Error).message).not.toContain(secret);
  }
});

test("rejects a file that does not exist", () =>
  expect(readPolicyFile("/nowhere/policy.yaml")).rejects.toMatchObject({
    reason: "CONFIGURATION_INVALID",
    message: expect.stringContaining("/nowhere/policy.yaml (--file) cannot be read"),
  }));

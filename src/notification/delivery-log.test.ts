import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { faultyFileSystem } from "../../test/support/faulty-file-system.js";
import { ManualClock } from "../../test/support/manual-clock.js";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import type { HostError } from "../errors.js";
import { systemPlatform } from "../io/platform.js";
import { limits } from "../limits.js";
import type { StoredDelivery } from "./delivery.js";
import { DeliveryLog } from "./delivery-log.js";

const delivery = (id: string, fields: Partial<StoredDelivery> = {}): StoredDelivery => ({
  id,
  policy: "nightly",
  event: "policy.run.failed",
  url: "https://hooks.test/a",
  state: "PENDING",
  attempts: 0,
  lastStatus: 0,
  lastError: "",
  createTimeMicros: 1,
  lastAttemptMicros: 0,
  nextAttemptMicros: 1,
  urlSha256: "0".repeat(64),
  body: "{}",
  tries: 0,
  ...fields,
});

async function open(
  path = join(temporaryDirectory(), "deliveries.json"),
  files = systemPlatform.files,
) {
  const problems: HostError[] = [];
  const clock = new ManualClock();
  const log = await DeliveryLog.open({
    platform: { ...systemPlatform, files },
    path,
    clock,
    onProblem: (error) => void problems.push(error),
  });
  return { log, path, problems, clock };
}

const ids = (log: DeliveryLog) => log.all().map(({ id }) => id);

test("a burst of deliveries is durable after a few writes", async () => {
  let writes = 0;
  const files = {
    ...systemPlatform.files,
    create: (path: string) => {
      writes += 1;
      return systemPlatform.files.create(path);
    },
  };
  const { log, path } = await open(undefined, files);
  await Promise.all(Array.from({ length: 1000 }, (_, i) => log.add(delivery(`msg_${i}`))));
  expect(writes).toBeLessThanOrEqual(3);
  const again = await open(path);
  expect(again.log.all()).toHaveLength(1000);
  expect(again.problems).toEqual([]);
});

test("results of attempts are written together after a while, and by close", async () => {
  const { log, path, clock } = await open();
  await log.add(delivery("msg_1"));
  const stored = () => readFileSync(path, "utf8");
  const [first] = log.all();
  Object.assign(first ?? {}, { state: "DELIVERED" });
  log.saveSoon();
  log.saveSoon();
  expect(clock.pending()).toEqual([limits.deliveriesWriteMs]);
  expect(stored()).toContain("PENDING");
  await log.close();
  expect(stored()).toContain("DELIVERED");
  expect(clock.pending()).toEqual([]);
});

test("drops finished deliveries before pending ones, and reports the latter", async () => {
  const { log, problems } = await open();
  for (let i = 0; i < limits.deliveries; i += 1)
    void log.add(delivery(`msg_${i}`, i === 5 ? { state: "FAILED" } : {}));
  await log.add(delivery("msg_a"));
  expect(ids(log)).toHaveLength(limits.deliveries);
  expect(ids(log)).toContain("msg_0");
  expect(ids(log)).not.toContain("msg_5");
  expect(problems).toEqual([]);
  await Promise.all([log.add(delivery("msg_b")), log.add(delivery("msg_c"))]);
  expect(ids(log)[0]).toBe("msg_2");
  expect(problems).toEqual([
    expect.objectContaining({ reason: "OVERLOADED", message: expect.stringMatching(/^2 pending/) }),
  ]);
});

test("a log of the largest deliveries stays below its bound, and is read again", async () => {
  const { log, path } = await open();
  const body = '"'.repeat(limits.notificationBytes);
  const lastError = "\u0001".repeat(limits.deliveryErrorChars);
  const added: Promise<void>[] = [];
  for (let i = 0; i < limits.deliveries; i += 1)
    added.push(log.add(delivery(`msg_${i}`, { body, state: "FAILED" })));
  for (const each of log.all()) each.lastError = lastError;
  await Promise.all([...added, log.save()]);
  expect(statSync(path).size).toBeLessThanOrEqual(limits.deliveriesBytes);
  expect(statSync(path).size).toBeGreaterThan(limits.deliveriesBytes / 2);
  const again = await open(path);
  expect(again.problems).toEqual([]);
  expect(ids(again.log)).toEqual(ids(log));
});

test.each([
  ["is not JSON", "{"],
  ["has an unknown state", JSON.stringify([delivery("msg_1", { state: "LOST" as "FAILED" })])],
  ["has another digest", `${JSON.stringify([delivery("msg_1")])}\n${"0".repeat(64)}\n`],
])("renames and reports a file that %s", async (_what, content) => {
  const path = join(temporaryDirectory(), "deliveries.json");
  writeFileSync(path, content);
  const { log, problems } = await open(path);
  expect(log.all()).toEqual([]);
  expect(problems).toEqual([expect.objectContaining({ reason: "STORAGE_FAILED" })]);
  expect(readFileSync(`${path}.unreadable`, "utf8")).toBe(content);
  await log.add(delivery("msg_2"));
  expect(ids((await open(path)).log)).toEqual(["msg_2"]);
});

test("a failed write is an error of the call, and the delivery stays in memory", async () => {
  const files = faultyFileSystem();
  const { log } = await open(undefined, files);
  files.arm("write", 1, "ENOSPC");
  await expect(log.add(delivery("msg_1"))).rejects.toBeDefined();
  expect(ids(log)).toEqual(["msg_1"]);
  await log.add(delivery("msg_2"));
});

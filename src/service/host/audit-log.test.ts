import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { nodeFileSystem } from "../../io/node-file-system.js";
import type { FileSystem } from "../../io/file-system.js";
import { limits } from "../../limits.js";
import { openAuditLog, type AuditLog } from "./audit-log.js";

const clock = { micros: 1_795_850_000_000_000 };
const lost: [unknown, number][] = [];
let directory: string;
let log: AuditLog;

async function open(more: { fileBytes?: number; files?: FileSystem } = {}): Promise<void> {
  const { files = nodeFileSystem, ...rest } = more;
  log = await openAuditLog({
    platform: { files, nowMicros: () => clock.micros },
    directory: join(directory, "audit"),
    onLost: (error, count) => lost.push([error, count]),
    ...rest,
  });
}

const linesOf = (name = "audit.log") =>
  readFileSync(join(directory, "audit", name), "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, string>);

beforeEach(() => {
  directory = temporaryDirectory();
  lost.length = 0;
});

test("appends lines across restarts, readable only by the owner", async () => {
  await open();
  await Promise.all(
    [1, 2, 3].map((n) =>
      log.record({
        action: "Backup",
        outcome: "OK",
        token: "nightly",
        address: "192.0.2.1",
        via: "grpc",
        subject: `file:/b/${n}`,
      }),
    ),
  );
  await log.close();
  await open();
  await log.record({ action: "Restore", outcome: "BACKUP_DAMAGED" });
  await log.close();
  expect(linesOf().map(({ subject, outcome }) => [subject, outcome])).toEqual([
    ["file:/b/1", "OK"],
    ["file:/b/2", "OK"],
    ["file:/b/3", "OK"],
    [undefined, "BACKUP_DAMAGED"],
  ]);
  expect(linesOf()[0]).toEqual({
    time: "2026-11-28T07:13:20.000Z",
    action: "Backup",
    outcome: "OK",
    token: "nightly",
    address: "192.0.2.1",
    via: "grpc",
    subject: "file:/b/1",
  });
  expect(statSync(join(directory, "audit", "audit.log")).mode & 0o777).toBe(0o600);
});

test("escapes line breaks and control characters", async () => {
  await open();
  await log.record({
    action: "DeleteDocument",
    outcome: "OK",
    subject: "/a\n\u001b[2J\u009b31m\u202eb",
  });
  await log.record({ action: "DeleteDocument", outcome: "OK", subject: "x".repeat(100_000) });
  await log.close();
  const text = readFileSync(join(directory, "audit", "audit.log"), "utf8");
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  expect(linesOf()[0]?.["subject"]).toBe("/a\n\u001b[2J\u009b31m\u202eb");
  expect(linesOf()[1]?.["subject"]).toHaveLength(limits.auditSubjectChars);
});

test("rotates full files and keeps a limited number of them", async () => {
  await open({ fileBytes: 500 });
  for (let n = 0; n < 60; n += 1)
    await log.record({ action: "Backup", outcome: "OK", subject: String(n) });
  await log.close();
  const names = readdirSync(join(directory, "audit")).filter((name) => name.startsWith("audit"));
  expect(names).toHaveLength(limits.auditFiles);
  for (const name of names)
    expect(statSync(join(directory, "audit", name)).size).toBeLessThanOrEqual(500);
  const kept = [
    ...Array.from(
      { length: limits.auditFiles - 1 },
      (_, i) => `audit.${limits.auditFiles - 1 - i}.log`,
    ),
    "audit.log",
  ].flatMap((name) => linesOf(name).map(({ subject }) => Number(subject)));
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 60 - kept.length + i));
  expect(kept.length).toBeGreaterThan(30);
});

test("limits rejected requests per minute, followed by the number of omitted ones", async () => {
  await open();
  for (let n = 0; n < 1000; n += 1) log.refused({ action: "Restore", outcome: "TOKEN_UNKNOWN" });
  clock.micros += 60e6;
  log.refused({ action: "Restore", outcome: "ROLE_MISSING" });
  await log.record({ action: "Backup", outcome: "OK" });
  await log.close();
  expect(linesOf()).toHaveLength(1);
  const lines = linesOf("refused.log");
  expect(lines).toHaveLength(limits.auditRefusalsPerMinute + 2);
  expect(lines.at(-2)).toMatchObject({
    action: "refusals",
    subject: `${1000 - limits.auditRefusalsPerMinute} more requests were rejected in this minute`,
  });
  expect(lines.at(-1)).toMatchObject({ outcome: "ROLE_MISSING" });
});

test("reports write errors once a minute without blocking callers", async () => {
  let full = false;
  const files: FileSystem = {
    ...nodeFileSystem,
    async openToAppend(path) {
      const file = await nodeFileSystem.openToAppend(path);
      return {
        ...file,
        write: (bytes, position) =>
          full
            ? Promise.reject(Object.assign(new Error("no space"), { code: "ENOSPC" }))
            : file.write(bytes, position),
      };
    },
  };
  await open({ files });
  await log.record({ action: "Backup", outcome: "OK", subject: "before" });
  full = true;
  for (let n = 0; n < 5; n += 1)
    await log.record({ action: "Backup", outcome: "OK", subject: "lost" });
  expect(lost).toEqual([[expect.objectContaining({ code: "ENOSPC" }), 1]]);
  clock.micros += 60e6;
  await log.record({ action: "Backup", outcome: "OK", subject: "lost" });
  expect(lost[1]?.[1]).toBe(5);
  full = false;
  await log.record({ action: "Backup", outcome: "OK", subject: "after" });
  await log.close();
  expect(linesOf().map(({ subject }) => subject)).toEqual(["before", "after"]);
});

test("reopens a moved or removed file within seconds, and continues a truncated file without a gap", async () => {
  await open();
  const path = join(directory, "audit", "audit.log");
  const record = (subject: string) => log.record({ action: "Backup", outcome: "OK", subject });
  await record("moved");
  renameSync(path, join(directory, "elsewhere"));
  // Longer than the interval at which the file is checked; so is the next pause.
  await sleep(limits.auditSyncMs * 2);
  await record("removed");
  expect(linesOf().map(({ subject }) => subject)).toEqual(["removed"]);
  rmSync(path);
  await sleep(limits.auditSyncMs * 2);
  await record("emptied");
  truncateSync(path);
  await record("after");
  await log.close();
  expect(readFileSync(path, "utf8")).toMatch(/^\{.*"after".*\n$/);
});

test("keeps a truncated line separate from the next one", async () => {
  mkdirSync(join(directory, "audit"));
  writeFileSync(join(directory, "audit", "audit.log"), '{"time":"2026');
  await open();
  await log.record({ action: "Backup", outcome: "OK" });
  await log.close();
  expect(readFileSync(join(directory, "audit", "audit.log"), "utf8").split("\n")).toEqual([
    '{"time":"2026',
    expect.stringContaining("Backup"),
    "",
  ]);
});

test("continues a full file that cannot be rotated, and rotates it later", async () => {
  await open({ fileBytes: 300 });
  const blocked = join(directory, "audit", `audit.${limits.auditFiles - 1}.log`);
  mkdirSync(join(blocked, "x"), { recursive: true });
  writeFileSync(join(directory, "audit", `audit.${limits.auditFiles - 2}.log`), "");
  for (let n = 0; n < 4; n += 1)
    await log.record({ action: "Backup", outcome: "OK", subject: `before ${n}` });
  expect(lost).toEqual([[expect.objectContaining({ syscall: "rename" }), 0]]);
  expect(linesOf()).toHaveLength(4);
  rmSync(blocked, { recursive: true });
  for (let n = 0; n < 8; n += 1)
    await log.record({ action: "Backup", outcome: "OK", subject: `after ${n}` });
  await log.close();
  expect(readdirSync(join(directory, "audit"))).toContain("audit.1.log");
  expect(linesOf().at(-1)).toMatchObject({ subject: "after 7" });
});

test("rejects a symbolic link instead of the file", async () => {
  mkdirSync(join(directory, "audit"));
  writeFileSync(join(directory, "precious"), "");
  symlinkSync(join(directory, "precious"), join(directory, "audit", "audit.log"));
  await expect(open()).rejects.toMatchObject({ code: "ELOOP" });
});

test("truncates long actions and subjects", async () => {
  await open();
  log.refused({ action: `GET /core/examples/${"a".repeat(14_000)}`, outcome: "TOKEN_MISSING" });
  await log.close();
  expect(linesOf("refused.log")[0]?.["action"]).toHaveLength(limits.auditActionChars);
});

import { backupHealth, spanText, type BackupFacts } from "./backup-health.js";
import type { BackupRecord } from "../backups/management-service.js";

const minute = 60_000_000;
const indexLink = "/core/document-index";
const record = (more: Partial<BackupRecord>): BackupRecord => ({
  indexLink,
  destination: "file:///b",
  lastSuccessMicros: 0,
  backupName: "",
  positionMicros: 0,
  bytesWritten: 0,
  sizeBytes: 0,
  durationMicros: 0,
  lastFailureMicros: 0,
  lastError: "",
  ...more,
});
const facts = (more: Partial<BackupFacts> = {}): BackupFacts => ({
  nowMicros: 1000 * minute,
  startMicros: 0,
  maxAgeMicros: 60 * minute,
  indexLink,
  hasDocuments: true,
  records: [],
  autoBackupProblem: undefined,
  currentMicros: 0,
  ...more,
});
const goodAt = (minutes: number, more: Partial<BackupRecord> = {}) =>
  record({ lastSuccessMicros: minutes * minute, ...more });

test.each<[string, Partial<BackupFacts>]>([
  ["nobody asks for any", { maxAgeMicros: 0 }],
  [
    "the newest is young enough, wherever it is",
    { records: [goodAt(1), goodAt(940, { destination: "file:///c" })] },
  ],
  ["there is nothing to back up", { hasDocuments: false }],
  ["the host is not up for long", { startMicros: 940 * minute }],
  [
    "automatic backups had everything a moment ago",
    { currentMicros: 999 * minute, records: [goodAt(1)] },
  ],
])("healthy where %s", (_why, more) => {
  expect(backupHealth(facts(more))).toEqual({ healthy: true, problem: "" });
});

test.each<[Partial<BackupFacts>, RegExp]>([
  [
    { records: [goodAt(900)] },
    /^The newest good backup of \/core\/document-index is 100 minutes old, and 60 minutes are allowed \(--backup-max-age\)\.$/,
  ],
  [
    {},
    /^There is no good backup of \/core\/document-index, the host has been up for 16 hours, and 60 minutes are allowed/,
  ],
  [
    { records: [goodAt(999, { indexLink: "/core/other" })] },
    /There is no good backup of \/core\/document-index/,
  ],
  [{ currentMicros: 900 * minute }, /100 minutes old/],
  [
    { records: [goodAt(900, { lastFailureMicros: 990 * minute, lastError: "The disk is full." })] },
    /The last one, to file:\/\/\/b, failed: The disk is full\.$/,
  ],
  [{ maxAgeMicros: 0, autoBackupProblem: "It is gone." }, /^Automatic backups fail: It is gone\.$/],
  [
    { records: [goodAt(900)], autoBackupProblem: "It is gone." },
    /^Automatic backups fail: It is gone\. The newest good backup/,
  ],
])("%j is not", (more, problem) => {
  const health = backupHealth(facts(more));
  expect(health).toEqual({ healthy: false, problem: expect.stringMatching(problem) as unknown });
});

test.each([
  [0, "0 seconds"],
  [119, "119 seconds"],
  [120, "2 minutes"],
  [7199, "119 minutes"],
  [7200, "2 hours"],
  [172_799, "47 hours"],
  [172_800, "2 days"],
])("%d s is %s", (seconds, text) => {
  expect(spanText(seconds * 1_000_000)).toBe(text);
});

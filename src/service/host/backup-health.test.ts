import { backupHealth, spanText, type BackupFacts } from "./backup-health.js";
import type { BackupRecord } from "./description.js";

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
  policyProblems: [],
  currentMicros: 0,
  ...more,
});
const goodAt = (minutes: number, more: Partial<BackupRecord> = {}) =>
  record({ lastSuccessMicros: minutes * minute, ...more });

test.each<[string, Partial<BackupFacts>]>([
  ["no maximum age is set", { maxAgeMicros: 0 }],
  [
    "the newest backup at any destination is recent enough",
    { records: [goodAt(1), goodAt(940, { destination: "file:///c" })] },
  ],
  ["there is nothing to back up", { hasDocuments: false }],
  ["the host was started recently", { startMicros: 940 * minute }],
  [
    "automatic backups were recently up to date",
    { currentMicros: 999 * minute, records: [goodAt(1)] },
  ],
])("is healthy if %s", (_why, more) => {
  expect(backupHealth(facts(more))).toEqual({ healthy: true, problem: "" });
});

test.each<[Partial<BackupFacts>, RegExp]>([
  [
    { records: [goodAt(900)] },
    /^The newest successful backup of \/core\/document-index is 100 minutes old; the limit is 60 minutes \(--backup-max-age\)\.$/,
  ],
  [
    {},
    /^No successful backup of \/core\/document-index exists, and the host has been up for 16 hours; the limit is 60 minutes/,
  ],
  [
    { records: [goodAt(999, { indexLink: "/core/other" })] },
    /No successful backup of \/core\/document-index exists/,
  ],
  [{ currentMicros: 900 * minute }, /100 minutes old/],
  [
    { records: [goodAt(900, { lastFailureMicros: 990 * minute, lastError: "The disk is full." })] },
    /The last backup, to file:\/\/\/b, failed: The disk is full\.$/,
  ],
  [
    { maxAgeMicros: 0, autoBackupProblem: "Disk removed." },
    /^Automatic backups are failing: Disk removed\.$/,
  ],
  [
    { records: [goodAt(900)], autoBackupProblem: "Disk removed." },
    /^Automatic backups are failing: Disk removed\. The newest successful backup/,
  ],
])("is unhealthy for %j", (more, problem) => {
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
])("formats %d s as %s", (seconds, text) => {
  expect(spanText(seconds * 1_000_000)).toBe(text);
});

import type { BackupListing } from "../../backup/listing.js";
import type { VerifyLevel } from "../../backup/verification.js";
import { planRetention } from "./plan-retention.js";

const day = 86_400_000_000;
const now = 1_800_000_000_000_000;

/** A backup that was written `age` days ago. Listings are newest first. */
function listed(name: string, age: number, lineage: string): BackupListing {
  const timeMicros = now - age * day;
  return {
    name,
    uri: "file:///d",
    state: "COMPLETE",
    backup: {
      indexId: "own",
      indexLink: "/i",
      lineage,
      createTimeMicros: timeMicros,
      positionMicros: timeMicros,
      window: {
        earliestMicros: now - 90 * day,
        latestMicros: timeMicros,
        historyStartMicros: now - 90 * day,
      },
    } as NonNullable<BackupListing["backup"]>,
  };
}

const kept = (backups: BackupListing[], windowMs?: number) =>
  planRetention(
    backups,
    {
      indexLink: "/i",
      timeZone: "UTC",
      retention: { keepLast: 1 },
      ...(windowMs !== undefined && { windowMs }),
    },
    ["own"],
    now,
  ).decisions.flatMap(({ name, keep, reasons }) => (keep ? [`${name}: ${reasons.at(-1)}`] : []));

const restoredTwice = [
  listed("current", 1, "third"),
  listed("before the second restore", 3, "second"),
  listed("earlier", 4, "second"),
  listed("before the first restore", 20, "first"),
];

test("keeps what only the histories before restores have, for the window", () => {
  expect(kept(restoredTwice, 14 * 86_400_000)).toEqual([
    expect.stringMatching(/^current: /),
    "before the second restore: newest of an earlier history",
  ]);
  expect(kept(restoredTwice, 30 * 86_400_000)).toEqual([
    expect.stringMatching(/^current: /),
    "before the second restore: newest of an earlier history",
    "before the first restore: newest of an earlier history",
  ]);
});

test("keeps the newest backup that this host has verified, besides the newest", () => {
  const verified = (level: VerifyLevel, hostId?: string): BackupListing => ({
    ...listed(`verified ${level} ${hostId ?? "here"}`, 3, "first"),
    lastVerification: {
      level,
      passed: true,
      timeMicros: now,
      records: 1,
      ...(hostId !== undefined && { hostId }),
    },
  });
  const keptBeside = (one: BackupListing) =>
    kept([listed("newest", 1, "first"), one, listed("older", 4, "first")]);
  expect(keptBeside(verified("FULL"))).toEqual([
    "newest: last 1",
    "verified FULL here: newest verified",
  ]);
  // A result beside the backup can be of anybody.
  expect(keptBeside(verified("FULL", "other"))).toEqual(["newest: last 1"]);
  expect(keptBeside(verified("METADATA"))).toEqual(["newest: last 1"]);
});

test("without a window, the rules decide on all histories", () => {
  expect(kept(restoredTwice)).toEqual([expect.stringMatching(/^current: /)]);
});

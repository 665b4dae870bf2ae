import { readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { systemPlatform } from "../../io/platform.js";
import { openVerifications } from "./verifications.js";

test.each([
  ["METADATA", "LIST"],
  ["FULL", "FULL"],
  ["TEST_RESTORE", "TRIAL"],
] as const)("stores the level %s as %s and reads it back", async (level, stored) => {
  const path = join(temporaryDirectory(), "verifications.json");
  const onError = (error: unknown) => {
    throw error;
  };
  const copy = { uri: "file:///backups", manifestSha256: "ab" };
  const verification = { level, timeMicros: 1, passed: true, records: 2 };
  await (await openVerifications(systemPlatform, path, onError)).record(copy, verification);
  expect(readFileSync(path, "utf8")).toContain(`"level":"${stored}"`);
  expect((await openVerifications(systemPlatform, path, onError)).find(copy)).toEqual(verification);
});

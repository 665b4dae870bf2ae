import type { VerifyLevel } from "../backup/verification.js";

/** Names of the levels in the files of the data directory, where they differ from the API. */
const storedNames: Partial<Record<VerifyLevel, string>> = {
  METADATA: "LIST",
  TEST_RESTORE: "TRIAL",
};

/** Returns the name under which the data directory stores a level. */
export function toStoredLevel(level: VerifyLevel): string {
  return storedNames[level] ?? level;
}

/** Returns the level that the data directory stores under this name. */
export function fromStoredLevel(stored: string): VerifyLevel {
  const [level] = Object.entries(storedNames).find(([, name]) => name === stored) ?? [stored];
  return level as VerifyLevel;
}

import type { Destination } from "../destination/destination.js";
import { unsharedLease } from "../io/lease.js";
import { sha256Of } from "../io/sha256.js";
import { limits } from "../limits.js";
import { verificationName } from "../segment/format.js";
import { membersOf, type NoteKind } from "./notes.js";
import type { Verification, VerifyLevel } from "./verification.js";

const levels: readonly string[] = [
  "METADATA",
  "SAMPLE",
  "FULL",
  "TEST_RESTORE",
] satisfies VerifyLevel[];

/**
 * Keeps the result of a verification beside the manifest, so that whoever finds the backups sees which of
 * them was proven, when, and by whom. Replaces an earlier one.
 */
export async function keepVerification(
  destination: Destination,
  manifest: string,
  verification: Verification,
  signal: AbortSignal,
): Promise<void> {
  const name = verificationName(manifest);
  const bytes = Buffer.from(`${JSON.stringify(verification)}\n`);
  const options = { sizeBytes: bytes.length, sha256: sha256Of(bytes), signal };
  await destination.put(name, { bytes }, options);
  // A removal of the backup may have been under way, and has not seen the new file.
  if ((await destination.stat(manifest, signal)) === undefined)
    await destination.remove([name], { signal, lock: unsharedLease, durable: false });
}

/** Returns a result with bounded values, or undefined if the text is none. */
export function parseVerification(text: string): Verification | undefined {
  const given = membersOf<keyof Verification>(text);
  if (!given) return undefined;
  const { level, passed } = given;
  const timeMicros = countOf(given.timeMicros);
  const records = countOf(given.records);
  if (!isLevel(level) || typeof passed !== "boolean") return undefined;
  if (timeMicros === undefined || timeMicros > limits.maxTimeMicros || records === undefined)
    return undefined;
  const documents = countOf(given.documents);
  const restoreMicros = countOf(given.restoreMicros);
  const hostId = textOf(given.hostId);
  const problem = textOf(given.problem);
  return {
    level,
    timeMicros,
    passed,
    records,
    ...(hostId !== undefined && { hostId }),
    ...(problem !== undefined && { problem }),
    ...(documents !== undefined && { documents }),
    ...(restoreMicros !== undefined && { restoreMicros }),
    ...(typeof given.compared === "boolean" && { compared: given.compared }),
  };
}

/** Results of verifications beside manifests. */
export const keptVerifications: NoteKind<Verification> = {
  nameOf: verificationName,
  parse: parseVerification,
};

const isLevel = (value: unknown): value is VerifyLevel =>
  typeof value === "string" && levels.includes(value);
const countOf = (value: unknown) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
const textOf = (value: unknown) =>
  typeof value === "string" ? value.slice(0, limits.backupErrorChars) : undefined;

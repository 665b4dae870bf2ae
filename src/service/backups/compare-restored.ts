import { isSameVersion, pairsOf } from "../../backup/diff.js";
import { everything } from "../../backup/document-state.js";
import type { ChosenManifest } from "../../backup/inspect.js";
import type { Report } from "../../backup/progress.js";
import type { Checked } from "../../backup/verify.js";
import type { DecryptWith } from "../../encoding/encoding-call.js";
import { HostError } from "../../errors.js";
import type { Manifest } from "../../segment/manifest.js";
import type { ManagementOptions } from "./management-options.js";
import type { OpenState } from "./index-states.js";

/** A backup to restore on trial. */
interface RestoredBackup {
  uri: string;
  chosen: ChosenManifest;
  decryptWith: DecryptWith | undefined;
}

/**
 * Restores a backup to a temporary index and compares each document with the live index at the position
 * of the backup. Undefined, without having restored it, if the live index does not have the history of
 * the backup any more. Throws BACKUP_DAMAGED if a document differs.
 */
export async function compareRestored(
  { states, indexOf }: Pick<ManagementOptions, "states" | "indexOf">,
  { uri, chosen, decryptWith }: RestoredBackup,
  signal: AbortSignal,
  report: Report,
): Promise<Checked | undefined> {
  const { manifest, name } = chosen;
  const { indexLink, positionMicros } = manifest;
  if (!(await hasHistory(indexOf, manifest))) {
    report({
      warning:
        "The live index no longer has the history of this backup, for example after a restore. The documents were not compared with it.",
    });
    return undefined;
  }
  // Opened first: while it is open, compaction removes no version that it shows.
  const live = await states.open(
    { indexLink, targetTimeMicros: BigInt(positionMicros) },
    signal,
    report,
  );
  try {
    const begun = performance.now();
    const access = { uri, indexLink, manifest: name, ...(decryptWith && { decryptWith }) };
    const restored = await states.open(access, signal, report);
    const restoreMicros = Math.round((performance.now() - begun) * 1000);
    try {
      await requireEqual(restored, live, { uri, name }, signal, report);
      const { segments, documents, versions } = manifest;
      return {
        records: segments.reduce((sum, { records }) => sum + records, 0),
        bytes: segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
        documents,
        versions,
        compared: true,
        restoreMicros,
      };
    } finally {
      await restored.close();
    }
  } finally {
    await live.close();
  }
}

async function hasHistory(
  indexOf: ManagementOptions["indexOf"],
  { indexLink, indexId, lineage, positionMicros }: Manifest,
): Promise<boolean> {
  let state;
  try {
    state = await indexOf(indexLink).state();
  } catch (error) {
    if (error instanceof HostError && error.reason === "INDEX_NOT_FOUND") return false;
    throw error;
  }
  return (
    state.indexId === indexId &&
    state.lineage === lineage &&
    positionMicros >= state.window.earliestMicros
  );
}

async function requireEqual(
  restored: OpenState,
  live: OpenState,
  { uri, name }: { uri: string; name: string },
  signal: AbortSignal,
  report: Report,
): Promise<void> {
  let documentsDone = 0;
  report({ stage: "comparing", documentsDone, documentsTotal: restored.documentCount });
  for await (const pair of pairsOf(restored, live, everything, signal)) {
    documentsDone += 1;
    report({ documentsDone });
    if (isSameVersion(pair)) continue;
    const problem = !pair.from
      ? "is missing in the restored backup"
      : !pair.to
        ? "is in the restored backup and not in the live index"
        : "differs from the live index";
    throw new HostError(
      "BACKUP_DAMAGED",
      `The restore test of ${name} at ${uri} failed: ${pair.link} ${problem}. Check the index with holdfast check, and back up with --full.`,
      { metadata: { link: pair.link } },
    );
  }
}

import { historyKey } from "../container/newest-first.js";
import type { LineageParent } from "../engine/engine.js";
import { limits } from "../limits.js";
import type { DocumentIndex } from "../store/document-index.js";

/**
 * The parents of the history that begins when an index takes over `taken` (oldest first, the one that it goes on from last), in place of
 * what is live. The live history and its own parents are among them too, as ones of which nothing was taken over: a backup made
 * from now on is newer than theirs, however far they had come.
 */
export async function parentsAfter(
  index: Pick<DocumentIndex, "state" | "indexId" | "lineage">,
  taken: readonly LineageParent[],
): Promise<LineageParent[]> {
  const isTaken = new Set(taken.map(historyKey));
  const left = (await replacedBy(index))
    .filter((one) => !isTaken.has(historyKey(one)))
    .map(({ indexId, lineage }) => ({ indexId, lineage, positionMicros: 0 }));
  return [...left, ...taken].slice(-limits.lineageParents);
}

type History = Pick<LineageParent, "indexId" | "lineage">;

async function replacedBy(
  index: Pick<DocumentIndex, "state" | "indexId" | "lineage">,
): Promise<History[]> {
  const own = { indexId: index.indexId(), lineage: index.lineage() };
  try {
    const { parents, versions, positionMicros } = await index.state();
    // One that nothing was ever written to has no backups with anything in them.
    return versions === 0 && positionMicros === 0 && parents.length === 0 ? [] : [...parents, own];
  } catch {
    // A damaged index is what restores are for.
    return [own];
  }
}

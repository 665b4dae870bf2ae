import { historyKey } from "../container/newest-first.js";
import type { LineageParent } from "../engine/engine.js";
import { limits } from "../limits.js";
import type { DocumentIndex } from "../store/document-index.js";

/**
 * Returns the parents of the lineage that starts when an index takes over `taken` (oldest first) and replaces the live lineage. The
 * live lineage and its parents are included without any content, so that later backups are newer than theirs whatever their
 * position.
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
    // An index without writes has no backups with content.
    return versions === 0 && positionMicros === 0 && parents.length === 0 ? [] : [...parents, own];
  } catch {
    // A damaged index must not prevent its restore.
    return [own];
  }
}

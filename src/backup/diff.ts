import type { DocumentVersion } from "../document/document.js";
import { compareLinks, type DocumentState } from "./document-state.js";
import type { DocumentDifference, DocumentSelection } from "./point-in-time.js";

/** A document that exists in at least one of two states, with its versions without bodies. */
export interface Pair {
  link: string;
  from?: DocumentVersion;
  to?: DocumentVersion;
}

/** Iterates over two states in parallel, in the order of the links, with constant memory. */
export async function* pairsOf(
  from: DocumentState,
  to: DocumentState,
  selection: DocumentSelection,
  signal: AbortSignal,
): AsyncGenerator<Pair> {
  const left = from.documents(selection, false, signal);
  const right = to.documents(selection, false, signal);
  try {
    let [a, b] = await Promise.all([left.next(), right.next()]);
    while (!a.done || !b.done) {
      const order = a.done ? 1 : b.done ? -1 : compareLinks(a.value.link, b.value.link);
      const pair: Pair = { link: "" };
      if (order <= 0 && !a.done) {
        Object.assign(pair, { link: a.value.link, from: a.value });
        a = await left.next();
      }
      if (order >= 0 && !b.done) {
        Object.assign(pair, { link: b.value.link, to: b.value });
        b = await right.next();
      }
      yield pair;
    }
  } finally {
    await Promise.all([left.return(undefined), right.return(undefined)]);
  }
}

/** Whether both states have the same version. Times are unique in an index, so comparing them is enough. */
export function isSameVersion({ from, to }: Pair): boolean {
  return (
    from !== undefined &&
    to !== undefined &&
    from.version === to.version &&
    from.updateTimeMicros === to.updateTimeMicros
  );
}

/** Describes the difference of a pair. Reads the kind of the document, which the pair does not have. */
export async function differenceOf(
  pair: Pair,
  from: DocumentState,
  to: DocumentState,
): Promise<DocumentDifference> {
  const known = pair.to ? await to.read(pair.link) : await from.read(pair.link);
  const mark = (version: DocumentVersion) => ({
    version: version.version,
    updateTimeMicros: version.updateTimeMicros,
  });
  return {
    link: pair.link,
    change: !pair.from ? "CREATED" : !pair.to ? "DELETED" : "CHANGED",
    kind: known?.kind ?? "",
    ...(pair.from && { from: mark(pair.from) }),
    ...(pair.to && { to: mark(pair.to) }),
  };
}

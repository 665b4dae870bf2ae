import type { DocumentVersion } from "../document/document.js";
import type { DocumentStore, Page } from "../engine/engine.js";
import { limits } from "../limits.js";
import type { DocumentSelection } from "./point-in-time.js";

/** The documents of an index at one point in time, without deleted ones. */
export interface DocumentState {
  read(link: string): Promise<DocumentVersion | undefined>;
  /** Documents in the order of their links; without `expand` only link, version and time. */
  documents(
    selection: DocumentSelection,
    expand: boolean,
    signal: AbortSignal,
  ): AsyncGenerator<DocumentVersion>;
}

export const everything: DocumentSelection = { prefixes: [], kinds: [], links: [] };

/** Compares links by their UTF-8 bytes, the order of the index. */
export function compareLinks(left: string, right: string): number {
  return left === right ? 0 : Buffer.compare(Buffer.from(left), Buffer.from(right));
}

/** Returns the current state of an engine, or its state at a point in time. */
export function documentState(
  store: Pick<DocumentStore, "page" | "read">,
  atMicros?: number,
): DocumentState {
  const at = atMicros === undefined ? {} : { atMicros };

  async function* below(
    linkPrefix: string,
    expand: boolean,
    signal: AbortSignal,
  ): AsyncGenerator<DocumentVersion> {
    const query = {
      linkPrefix,
      expand,
      limit: limits.pageRows,
      pageBytes: limits.exportPageBytes,
      ...at,
    };
    let next: Promise<Page> | undefined = store.page(query, signal);
    while (next !== undefined) {
      const { documents, cursor }: Page = await next;
      // Reads ahead while the caller uses this page.
      next = cursor === undefined ? undefined : store.page({ ...query, cursor }, signal);
      next?.catch(() => {});
      for (const document of documents) yield document;
      signal.throwIfAborted();
    }
  }

  async function read(link: string): Promise<DocumentVersion | undefined> {
    const version = await store.read(link, at);
    return version?.action === "DELETE" ? undefined : version;
  }

  return {
    read,
    async *documents({ prefixes, kinds, links }, expand, signal) {
      // The kind of a document is stored with its body.
      const wantsKind = kinds.length > 0;
      for (const { link, prefix } of rangesOf(prefixes, links)) {
        const exact = link === "" ? undefined : await read(link);
        if (exact && (!wantsKind || kinds.includes(exact.kind))) yield exact;
        if (!prefix) continue;
        for await (const one of below(link, expand || wantsKind, signal))
          if (!wantsKind || kinds.includes(one.kind)) yield one;
      }
    },
  };
}

/** Returns the ranges of a selection in order and without overlap: single links, and prefixes. */
function rangesOf(
  prefixes: readonly string[],
  links: readonly string[],
): { link: string; prefix: boolean }[] {
  if (prefixes.length + links.length === 0) return [{ link: "", prefix: true }];
  const all = [
    ...prefixes.map((link) => ({ link, prefix: true })),
    ...links.map((link) => ({ link, prefix: false })),
  ];
  all.sort((a, b) => compareLinks(a.link, b.link) || Number(b.prefix) - Number(a.prefix));
  const ranges: { link: string; prefix: boolean }[] = [];
  for (const one of all) {
    const before = ranges.at(-1);
    const covered =
      before !== undefined &&
      (before.prefix ? one.link.startsWith(before.link) : one.link === before.link);
    if (!covered) ranges.push(one);
  }
  return ranges;
}

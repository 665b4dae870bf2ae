import { exampleKind } from "../../document/example-kind.js";
import type { FactoryDescription } from "./document-service.js";

/** Link of the durable index. */
export const durableIndexLink = "/core/document-index";
/** Link of the in-memory index. */
export const inMemoryIndexLink = "/core/in-memory-document-index";

/** Path below which OpenBackup opens indexes. */
export const openedIndexPath = "/core/opened-indexes";

/** Whether a link is one of an index that OpenBackup opens. */
export const isOpenedLink = (link: string) => link.startsWith(`${openedIndexPath}/`);

/** Default factories: Xenon's example factories. */
export const defaultFactories: readonly FactoryDescription[] = [
  { path: "/core/examples", kind: exampleKind, indexLink: durableIndexLink },
  { path: "/core/in-memory-examples", kind: exampleKind, indexLink: inMemoryIndexLink },
];

/** Lookup of factories. */
export interface FactoryTable {
  all: FactoryDescription[];
  /** Returns the factory with a path. */
  at(path: string): FactoryDescription | undefined;
  /** Returns the factory of a document, the innermost one of nested factories. */
  of(link: string): FactoryDescription | undefined;
}

/** Creates the lookup. */
export function factoryTable(factories: readonly FactoryDescription[]): FactoryTable {
  const byPath = new Map(factories.map((factory) => [factory.path, factory]));
  return {
    all: [...factories],
    at: (path) => byPath.get(path),
    of(link) {
      for (let end = link.lastIndexOf("/"); end > 0; end = link.lastIndexOf("/", end - 1)) {
        const factory = byPath.get(link.slice(0, end));
        if (factory !== undefined) return factory;
      }
      return undefined;
    },
  };
}

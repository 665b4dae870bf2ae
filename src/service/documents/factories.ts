import { exampleKind } from "../../document/example-kind.js";
import type { FactoryDescription } from "./document-service.js";

export const durableIndexLink = "/core/document-index";
export const inMemoryIndexLink = "/core/in-memory-document-index";

/** What a host serves when nothing else is configured: Xenon's example factories. */
export const defaultFactories: readonly FactoryDescription[] = [
  { path: "/core/examples", kind: exampleKind, indexLink: durableIndexLink },
  { path: "/core/in-memory-examples", kind: exampleKind, indexLink: inMemoryIndexLink },
];

export interface FactoryTable {
  all: FactoryDescription[];
  at(path: string): FactoryDescription | undefined;
  /** The factory that a document link belongs to: of nested ones the innermost. */
  of(link: string): FactoryDescription | undefined;
}

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

import { isDeepStrictEqual } from "node:util";
import type { Body } from "./corpus.js";

/** A document that differs from the expected one. */
export interface Difference {
  link: string;
  problem: "missing" | "extra" | "differs";
}

/** Returns the fields of a document without those that the host maintains. */
export function ownFields(document: Body): Body {
  return Object.fromEntries(
    Object.entries(document).filter(([name]) => !name.startsWith("document")),
  );
}

/** Returns the documents that are missing, unexpected or different, by link. */
export function compareDocuments(
  expected: ReadonlyMap<string, Body>,
  found: ReadonlyMap<string, Body>,
): Difference[] {
  const differences: Difference[] = [];
  for (const [link, body] of expected) {
    const other = found.get(link);
    if (other === undefined) differences.push({ link, problem: "missing" });
    else if (!isDeepStrictEqual(other, body)) differences.push({ link, problem: "differs" });
  }
  for (const link of found.keys())
    if (!expected.has(link)) differences.push({ link, problem: "extra" });
  return differences;
}

/** The writes that turn one set of documents into another. */
export interface Changes {
  created: [link: string, body: Body][];
  changed: [link: string, body: Body][];
  removed: string[];
}

/** Returns the changes from one set of documents to another. */
export function changesBetween(
  from: ReadonlyMap<string, Body>,
  to: ReadonlyMap<string, Body>,
): Changes {
  const differences = compareDocuments(to, from);
  const withBody = (problem: Difference["problem"]) =>
    differences
      .filter((one) => one.problem === problem)
      .map(({ link }): [string, Body] => [link, to.get(link) ?? {}]);
  return {
    created: withBody("missing"),
    changed: withBody("differs"),
    removed: differences.filter(({ problem }) => problem === "extra").map(({ link }) => link),
  };
}

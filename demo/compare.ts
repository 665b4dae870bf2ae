import { isDeepStrictEqual } from "node:util";
import type { Body } from "./corpus.js";

/** One document that is not as it should be. */
export interface Difference {
  link: string;
  problem: "missing" | "extra" | "differs";
}

/** The own fields of a document as the host answers it: without those that the host keeps itself. */
export function ownFields(document: Body): Body {
  return Object.fromEntries(
    Object.entries(document).filter(([name]) => !name.startsWith("document")),
  );
}

/** Every document that is expected and not there, there and not expected, or there with other contents. */
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

/** What turns one set of documents into another. */
export interface Changes {
  created: [link: string, body: Body][];
  changed: [link: string, body: Body][];
  removed: string[];
}

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

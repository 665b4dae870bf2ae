import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** Content of a document: a JSON object. */
export type Body = Readonly<Record<string, unknown>>;

/** A version of MDN's browser compatibility data: one document per feature, linked by its path. */
export interface Corpus {
  /** The version of the package, for example 7.1.0. */
  version: string;
  documents: ReadonlyMap<string, Body>;
}

/** npm alias of a version of the data. */
export type CorpusName = "mdn-bcd-6" | "mdn-bcd-7" | "mdn-bcd-8";

/** Factory of the features. */
export const featureFactory = "/mdn/features";
/** Document kind of the features. */
export const featureKind = "org:mozilla:developer:Feature";

const marker = "__compat";
const isObject = (value: unknown): value is Body =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Reads a version of the package by its npm alias. A feature is an object with a member `__compat`,
 * which becomes the document. Features are nested: `api.AbortController.abort` has the link
 * /mdn/features/api/AbortController/abort.
 */
export function loadCorpus(name: CorpusName): Corpus {
  const data = JSON.parse(
    readFileSync(createRequire(import.meta.url).resolve(name), "utf8"),
  ) as Record<string, unknown>;
  const meta = data["__meta"];
  const documents = new Map<string, Body>();
  const walk = (node: Body, link: string): void => {
    for (const [key, value] of Object.entries(node)) {
      if (!isObject(value)) continue;
      if (key === marker) documents.set(link, value);
      else walk(value, `${link}/${key}`);
    }
  };
  for (const [area, value] of Object.entries(data)) {
    // The data about browsers contains no features.
    if (area !== "__meta" && area !== "browsers" && isObject(value))
      walk(value, `${featureFactory}/${area}`);
  }
  return { version: isObject(meta) ? String(meta["version"]) : "unknown", documents };
}

/** Returns the part of a corpus in the given areas, for example "http", for short tests. */
export function partOf(corpus: Corpus, areas: readonly string[]): Corpus {
  const prefixes = areas.map((area) => `${featureFactory}/${area}/`);
  return {
    version: corpus.version,
    documents: new Map(
      [...corpus.documents].filter(([link]) => prefixes.some((prefix) => link.startsWith(prefix))),
    ),
  };
}

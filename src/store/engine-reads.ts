import type { DocumentReader, Engine } from "../engine/engine.js";

/** Runs work on an engine that stays open until the work ends. */
type WithEngine = <T>(work: (engine: Engine) => Promise<T>) => Promise<T>;

/** The reads of an index, each on the engine that it has at that time. */
export const engineReads = (withEngine: WithEngine): DocumentReader => ({
  read: (link, at) => withEngine((engine) => engine.read(link, at)),
  page: (query, signal, slot) => withEngine((engine) => engine.page(query, signal, slot)),
  count: (query, signal, slot) => withEngine((engine) => engine.count(query, signal, slot)),
  versions: (link, limit, beforeVersion) =>
    withEngine((engine) => engine.versions(link, limit, beforeVersion)),
  state: () => withEngine((engine) => engine.state()),
});

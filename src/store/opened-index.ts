import type { DocumentVersion } from "../document/document.js";
import type {
  DocumentReader,
  Engine,
  IndexState,
  Page,
  PageQuery,
  RunInSlot,
  TemporaryIndex,
} from "../engine/engine.js";
import { HeldEngine } from "./held-engine.js";

/** An index that is open for reading only. */
export class OpenedIndex implements DocumentReader {
  private readonly held: HeldEngine;

  constructor(
    readonly link: string,
    index: Pick<TemporaryIndex, "engine" | "close">,
  ) {
    this.held = new HeldEngine(index.engine, () => index.close());
  }

  /** Each opening is a history of its own. */
  lineage(): string {
    return this.link;
  }

  withEngine<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    return this.held.use(work);
  }

  read(
    link: string,
    at?: { version?: number; atMicros?: number },
  ): Promise<DocumentVersion | undefined> {
    return this.held.use((engine) => engine.read(link, at));
  }

  page(query: PageQuery, signal?: AbortSignal, slot?: RunInSlot): Promise<Page> {
    return this.held.use((engine) => engine.page(query, signal, slot));
  }

  count(
    query: Parameters<DocumentReader["count"]>[0],
    signal?: AbortSignal,
    slot?: RunInSlot,
  ): Promise<number> {
    return this.held.use((engine) => engine.count(query, signal, slot));
  }

  versions(link: string, limit: number, beforeVersion?: number): Promise<DocumentVersion[]> {
    return this.held.use((engine) => engine.versions(link, limit, beforeVersion));
  }

  state(): Promise<IndexState> {
    return this.held.use((engine) => engine.state());
  }

  /** Waits for the calls under way, then removes the index. Do not use it any more. */
  close(): Promise<void> {
    return this.held.retire();
  }
}

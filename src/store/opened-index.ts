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
import { HostError } from "../errors.js";
import { HeldEngine } from "./held-engine.js";

/** The error for an index that is not open any more. */
export const openedNotFound = (link: string) =>
  new HostError(
    "INDEX_NOT_FOUND",
    `No opened index ${JSON.stringify(link.slice(0, 200))}: it was closed, its time is over, or the host was restarted. Open the backup again.`,
    { metadata: { link: link.slice(0, 200) } },
  );

/** An index that is open for reading only. */
export class OpenedIndex implements DocumentReader {
  private readonly held: HeldEngine;
  private closed = false;

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
    return this.closed ? Promise.reject(openedNotFound(this.link)) : this.held.use(work);
  }

  read(
    link: string,
    at?: { version?: number; atMicros?: number },
  ): Promise<DocumentVersion | undefined> {
    return this.withEngine((engine) => engine.read(link, at));
  }

  page(query: PageQuery, signal?: AbortSignal, slot?: RunInSlot): Promise<Page> {
    return this.withEngine((engine) => engine.page(query, signal, slot));
  }

  count(
    query: Parameters<DocumentReader["count"]>[0],
    signal?: AbortSignal,
    slot?: RunInSlot,
  ): Promise<number> {
    return this.withEngine((engine) => engine.count(query, signal, slot));
  }

  versions(link: string, limit: number, beforeVersion?: number): Promise<DocumentVersion[]> {
    return this.withEngine((engine) => engine.versions(link, limit, beforeVersion));
  }

  state(): Promise<IndexState> {
    return this.withEngine((engine) => engine.state());
  }

  /** Waits for the calls under way, then removes the index. Later calls throw INDEX_NOT_FOUND. */
  close(): Promise<void> {
    this.closed = true;
    return this.held.retire();
  }
}

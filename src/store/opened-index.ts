import type { DocumentReader, Engine, TemporaryIndex } from "../engine/engine.js";
import { HostError } from "../errors.js";
import { engineReads } from "./engine-reads.js";
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
  private readonly reads = engineReads((work) => this.withEngine(work));
  readonly read = this.reads.read;
  readonly page = this.reads.page;
  readonly count = this.reads.count;
  readonly versions = this.reads.versions;
  readonly state = this.reads.state;
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

  /** Waits for the calls under way, then removes the index. Later calls throw INDEX_NOT_FOUND. */
  close(): Promise<void> {
    this.closed = true;
    return this.held.retire();
  }
}

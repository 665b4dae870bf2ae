import type { DocumentVersion } from "../../document/document.js";
import { limits } from "../../limits.js";
import { checkedRow, type CheckedRow } from "../../segment/row.js";
import type { LiveIndex } from "./live-index.js";
import { guarded } from "./reads.js";
import { rowColumns } from "./tables.js";

/** A read that waits for its statement, and those of the same document with it. */
interface Waiting {
  resolve(version: DocumentVersion | undefined): void;
  reject(error: unknown): void;
}

/**
 * Reads of latest versions. Those that begin while others are under way, or in the same turn of the event loop, share a
 * statement, as writes share a transaction: each sees at least what was committed when it began.
 */
export class LatestReads {
  private waiting = new Map<string, Waiting[]>();
  private running = 0;
  private scheduled = false;

  constructor(private readonly index: LiveIndex) {}

  read(link: string): Promise<DocumentVersion | undefined> {
    return new Promise((resolve, reject) => {
      const others = this.waiting.get(link);
      if (others) others.push({ resolve, reject });
      else this.waiting.set(link, [{ resolve, reject }]);
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.scheduled || this.running >= limits.databaseReaders) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      void this.send();
    });
  }

  private async send(): Promise<void> {
    const batch = new Map<string, Waiting[]>();
    for (const [link, all] of this.waiting) {
      if (batch.size >= limits.databaseReadBatch) break;
      batch.set(link, all);
      this.waiting.delete(link);
    }
    if (batch.size === 0) return;
    this.running += 1;
    if (this.waiting.size > 0) this.schedule();
    try {
      for (const row of await this.fetch([...batch.keys()])) {
        const [, link] = row;
        const all = batch.get(link) ?? [];
        batch.delete(link);
        settle(all, row);
      }
      for (const all of batch.values()) for (const { resolve } of all) resolve(undefined);
    } catch (thrown) {
      for (const all of batch.values()) for (const { reject } of all) reject(thrown);
    } finally {
      this.running -= 1;
      if (this.waiting.size > 0) this.schedule();
    }
  }

  private async fetch(links: readonly string[]): Promise<CheckedRow[]> {
    const { tables, name } = this.index;
    return (await this.index.read(
      {
        name: "latest",
        text: (generation) =>
          guarded(
            tables.idx,
            `SELECT ${rowColumns} FROM unnest($3::text[]) AS k(wanted) CROSS JOIN LATERAL
             (SELECT * FROM ${tables.log(generation)} WHERE link = k.wanted ORDER BY version DESC LIMIT 1) l`,
          ),
      },
      [links],
      `Reading ${links.length === 1 ? `${links[0]} of ` : ""}${name}`,
    )) as CheckedRow[];
  }
}

/** A damaged row fails the reads of its document alone. */
function settle(all: readonly Waiting[], row: CheckedRow): void {
  try {
    const version = checkedRow(row);
    for (const { resolve } of all) resolve(version);
  } catch (thrown) {
    for (const { reject } of all) reject(thrown);
  }
}

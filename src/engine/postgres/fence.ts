import { limits } from "../../limits.js";
import type { LiveIndex } from "./live-index.js";
import { leads, notLeader } from "./lease.js";
import { databaseClock } from "./tables.js";

/**
 * Refuses writes on every host during a switch. It ends by itself if its host vanishes, so that a host that is killed
 * between the fence and the switch does not stop the writes of the others.
 */
export class Fence {
  private held = false;
  /** Writes and sweeps of this host under way, which the fence waits for. */
  private changes = 0;
  private changesDone: (() => void) | undefined;
  /** The end of the last fence, while the database does not know of it yet. */
  private lifting: Promise<void> | undefined;

  constructor(
    private readonly index: LiveIndex,
    private readonly hostId: string,
    private readonly leaseValues: () => [term: number, run: string],
  ) {}

  get isHeld(): boolean {
    return this.held;
  }

  /** Runs a change, for which a fence waits. */
  async during<T>(change: () => Promise<T>): Promise<T> {
    this.changes += 1;
    try {
      if (this.lifting) await this.lifting;
      return await change();
    } finally {
      this.changes -= 1;
      if (this.changes === 0) this.changesDone?.();
    }
  }

  /** Fences the index, and returns the greatest update time that any host has taken. LEADER_UNAVAILABLE. */
  async hold(): Promise<number> {
    this.held = true;
    if (this.changes > 0) await new Promise<void>((resolve) => (this.changesDone = resolve));
    await this.lifting;
    const { tables, id } = this.index;
    // Waits for the transactions of other hosts, which hold the lock of the row.
    const [row] = await this.index.change<{ last: number }>(
      `UPDATE ${tables.idx} SET fence = $4, fence_until = ${databaseClock} + $5 WHERE id = $3 AND ${leads(tables)} RETURNING last`,
      [...this.leaseValues(), id, this.hostId, limits.databaseLeaseMs * 1000],
    );
    if (!row) throw notLeader();
    return row.last;
  }

  lift(): void {
    if (!this.held) return;
    this.held = false;
    const { tables, id } = this.index;
    this.lifting = this.index
      .change(
        `UPDATE ${tables.idx} SET fence = NULL, fence_until = 0 WHERE id = $1 AND fence = $2`,
        [id, this.hostId],
      )
      // Until it ends by itself, writes are refused and may be repeated.
      .then(
        () => {},
        () => {},
      )
      .finally(() => (this.lifting = undefined));
  }

  async close(): Promise<void> {
    await this.lifting;
  }
}

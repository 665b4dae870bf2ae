import { HostError } from "../../errors.js";
import type { EntryName } from "../../io/entry.js";
import { rowsWorthSharing, type Half } from "../../segment/check-rows.js";
import type { ChainContent, ReadBackOptions, SegmentContent, SegmentSource } from "../engine.js";
import { createCopier, type CopyCall, type Copier } from "./copier.js";

/** How an export runs. */
interface CopyOptions {
  /** Runs beside what is not in the background, without delaying it. */
  background: boolean | undefined;
  signal: AbortSignal;
  onProgress?: ((rows: number) => void) | undefined;
}

/**
 * The threads that export and verify segments of one index: two at once for a backup, one for the background, one
 * for the check of a whole base.
 */
export class SegmentCopiers<Task> {
  private readonly first: Copier<Task>;
  private readonly second: Copier<Task>;
  private readonly inBackground: Copier<Task>;
  private readonly chain: Copier<Task>;

  /** `entry` is the program of the threads; `index` names the index in errors. */
  constructor(
    entry: EntryName,
    private readonly index: string,
  ) {
    [this.first, this.second, this.inBackground, this.chain] = [
      createCopier<Task>(entry),
      createCopier<Task>(entry),
      createCopier<Task>(entry),
      createCopier<Task>(entry),
    ];
  }

  async export(
    task: Task,
    { background, signal, onProgress }: CopyOptions,
  ): Promise<SegmentContent> {
    const by = background ? this.inBackground : this.first;
    return (await by.call({ kind: "export", task }, signal, onProgress)) as SegmentContent;
  }

  /** Implements Engine.readBack. */
  async readBack(
    segment: SegmentSource,
    { temporaryDirectory, background, signal }: ReadBackOptions,
  ): Promise<ChainContent | undefined> {
    const digest = (by: Copier<Task>) => this.verify(by, { kind: "digest", segment }, signal);
    const read = (by: Copier<Task>, half?: Half) =>
      this.verify(by, { kind: "rows", segment, ...(half && { half }) }, signal);
    // A delta is verified with a base that earlier backups verified: alone it cannot prove the counts of all versions.
    const chain = async (by: Copier<Task>) =>
      segment.kind === "base"
        ? ((await this.verify(
            by,
            { kind: "chain", segment, temporaryDirectory },
            signal,
          )) as ChainContent)
        : undefined;
    if (background || segment.records < rowsWorthSharing) {
      const by = background ? this.inBackground : this.first;
      await digest(by);
      await read(by);
      return chain(by);
    }
    const parts = await Promise.allSettled([
      read(this.first, "first"),
      read(this.second, "second"),
      // Takes as long as half of the rows.
      digest(this.chain).then(() => chain(this.chain)),
    ] as const);
    for (const part of parts) if (part.status === "rejected") throw part.reason;
    return parts[2].status === "fulfilled" ? parts[2].value : undefined;
  }

  async close(): Promise<void> {
    const all = [this.first, this.second, this.inBackground, this.chain];
    await Promise.all(all.map((copier) => copier.close()));
  }

  /** Damage in a segment that was just exported comes from the index, not from a backup. */
  private async verify(by: Copier<Task>, call: CopyCall<Task>, signal: AbortSignal) {
    try {
      return await by.call(call, signal);
    } catch (error) {
      if (!(error instanceof HostError) || error.reason !== "BACKUP_DAMAGED") throw error;
      throw new HostError(
        "INDEX_DAMAGED",
        `Cannot back up ${this.index}: the exported copy fails verification, so a row, a key index or the disk is damaged. No backup was made; older backups are unchanged. ${error.message}`,
        { cause: error },
      );
    }
  }
}

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { manage } from "./management.js";
import { load, serve, watchMemory, type LoadResult } from "./process-tools.js";
import { memoryRow, row } from "./table.js";

const rate = 2000;
const bytes = 500;

interface AutoBackupState {
  autoBackup: { positionMicros?: number };
  indexes: { positionMicros: number }[];
}

const lookMs = 100;

/**
 * Over how long the writes go back that no automatic backup holds, at the most while the work runs; milliseconds, and as
 * much more as lies between two looks. A time in which nobody wrote is none of it.
 */
async function watchAge<T>(port: number, work: Promise<T>): Promise<{ result: T; ageMs: number }> {
  let ageMs = 0;
  /** Positions of the log as they were seen that are not backed up, the oldest first. */
  let seen: number[] = [];
  let over = false;
  const watching = (async () => {
    while (!over) {
      const { autoBackup, indexes } = (await (
        await fetch(`http://127.0.0.1:${port}/core/management`)
      ).json()) as AutoBackupState;
      const written = indexes[0]?.positionMicros ?? 0;
      const backedUp = autoBackup.positionMicros;
      if (backedUp !== undefined) {
        seen = [...seen, written].filter((position) => position > backedUp);
        if (seen[0] !== undefined) ageMs = Math.max(ageMs, (written - seen[0]) / 1000 + lookMs);
      }
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  })();
  try {
    return { result: await work, ageMs };
  } finally {
    over = true;
    await watching;
  }
}

async function performed(port: number): Promise<number> {
  const { entries } = (await (
    await fetch(`http://127.0.0.1:${port}/core/management/stats`)
  ).json()) as { entries: Record<string, { latestValue: number }> };
  return entries["autoBackupPerformedCount"]?.latestValue ?? 0;
}

/** A minute of writes at a fixed rate with automatic backups, between two halves of a minute without; on an index that has something in it. */
export async function benchAutoBackup(root: string): Promise<void> {
  const directory = join(root, "auto");
  const host = await serve("host-process.mjs", directory);
  const { port, child } = host;
  await load(port, { count: 100_000, bytes });
  let first = 1_000_000;
  const write = async (durationMs: number): Promise<LoadResult> => {
    const result = await load(port, { durationMs, bytes, rate, first });
    first = result.next;
    return result;
  };
  // Watched all the time, so that to watch costs both the same.
  const { result: before } = await watchAge(port, write(30_000));
  await manage(port, "AutoBackupConfiguration", { enable: true });
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const { result, memory } = await watchMemory(child.pid ?? 0, () => watchAge(port, write(60_000)));
  const runs = await performed(port);
  await manage(port, "AutoBackupConfiguration", { enable: false });
  const { result: after } = await watchAge(port, write(30_000));
  const { result: busy, ageMs } = result;
  const idle = (before.p99 + after.p99) / 2;
  row(
    `automatic backups under ${busy.perSecond.toFixed(0)} writes/s: p99 of writers`,
    `${busy.p99.toFixed(1)} ms`,
    `without: ${before.p99.toFixed(1)} and ${after.p99.toFixed(1)} ms`,
    busy.p99 / idle,
    "<= 1.5",
  );
  row(
    "automatic backups in that minute",
    `${runs} runs, ${readdirSync(join(directory, "auto-backup")).length} files`,
    "",
    undefined,
    "",
  );
  row(
    "what a disaster would take, at the most",
    `${ageMs.toFixed(0)} ms`,
    "",
    undefined,
    "<= 1000 ms",
  );
  memoryRow("automatic backups", memory);
  await host.close();
}

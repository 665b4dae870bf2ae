import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { drained } from "./drained.js";
import { makeIndex } from "./make-index.js";
import { manage, patchDocuments, untilReadable } from "./management.js";
import { load, serve, watchMemory, type Memory } from "./process-tools.js";
import { copySynced } from "./synced.js";
import { memoryRow, ms, row } from "./table.js";

const small = 1_000_000;
const large = 10_000_000;
const bytes = 500;
const posted = 200_000;

/** What one piece of work took, and the memory meanwhile. The count is that of the documents it worked on. */
interface Piece {
  took: number;
  count: number;
  memory?: Memory;
}

/** Ten million documents beside one million: load, backups, restore, listing and histogram, each as the cost of a document. */
export async function benchScale(root: string): Promise<void> {
  const few = await measure(root, small);
  const many = await measure(root, large);
  for (const [work, piece] of Object.entries(many)) {
    const before = few[work];
    if (!before) continue;
    row(
      `${large} x ${bytes} B: ${work}`,
      `${ms(piece.took)}, ${perDocument(piece)}`,
      `${small}: ${ms(before.took)}, ${perDocument(before)}`,
      piece.took / piece.count / (before.took / before.count),
      work.startsWith("copy") ? "" : "<= 1.3",
    );
    if (piece.memory) memoryRow(`${large} x ${bytes} B: ${work}`, piece.memory);
  }
}

const perDocument = ({ took, count }: Piece) => `${((took * 1000) / count).toFixed(2)} us each`;

async function measure(root: string, count: number): Promise<Record<string, Piece>> {
  const directory = mkdtempSync(join(root, `scale-${count}-`));
  const data = await makeIndex(join(directory, "host"), count, 1, bytes);
  const host = await serve("host-process.mjs", data);
  const watched = async (of: number, work: () => Promise<number>): Promise<Piece> => {
    const { result, memory } = await watchMemory(host.child.pid ?? 0, work);
    return { took: result, count: of, memory };
  };
  const uri = (name: string) => ({ destination: `file:${join(directory, name)}` });
  const backup = () =>
    manage(host.port, "BackupRequest", { ...uri("backup"), backupType: "DIRECTORY" });

  // The first read after the start warms the code up and the caches of the file system.
  await drained(host.port, "/bench?$limit=10000");
  const pieces: Record<string, Piece> = {};
  pieces["listing of all links"] = await watched(
    count,
    async () => (await drained(host.port, "/bench")).took,
  );
  // Of no document each: what counts is the time of the whole, which must not grow with the index.
  pieces["histogram in 300 intervals"] = {
    took: (await drained(host.port, "/v1/indexes:activity?buckets=300")).took,
    count,
  };
  pieces["full backup to a directory"] = await watched(count, backup);
  // What the disk does with so many bytes, in the same run.
  pieces["copy of the backup with fsync"] = {
    took: copySynced(join(directory, "backup"), mkdtempSync(join(directory, "copy-"))),
    count,
  };
  const changed = Array.from({ length: count / 100 }, (_, n) => (n * 97) % count);
  await patchDocuments(host.port, changed);
  pieces["incremental backup of 1 %"] = await watched(changed.length, backup);
  const loaded = await load(host.port, { count: posted, bytes, first: count });
  pieces["durable POSTs, 32 connections"] = {
    took: (posted / loaded.perSecond) * 1000,
    count: posted,
  };
  pieces["restore from a directory until a document can be read"] = await watched(
    count,
    async () =>
      (await manage(host.port, "RestoreRequest", uri("backup"))) +
      (await untilReadable(host.port, count - 1)),
  );
  await host.close();
  rmSync(directory, { recursive: true });
  return pieces;
}

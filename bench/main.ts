import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { benchAutoBackup } from "./auto-backup.js";
import { benchAttack } from "./attack.js";
import { benchConsole } from "./console.js";
import { benchCommand } from "./command.js";
import { compareReleases, printChanges, saveRatios } from "./history.js";
import { benchListings } from "./listings.js";
import { manage, patchDocuments, untilReadable } from "./management.js";
import { benchFiles } from "./files.js";
import { benchObjectStore } from "./object-store.js";
import { benchPeers } from "./peers.js";
import { benchPolicies } from "./policies.js";
import { benchPostgres } from "./postgres.js";
import { benchQuick } from "./quick.js";
import { benchScale } from "./scale.js";
import { benchStreams } from "./streams.js";
import { copySynced } from "./synced.js";
import { median, memoryRow, mib, ms, printTable, row } from "./table.js";
import { load, nextMessage, run, serve, watchMemory, type Memory } from "./process-tools.js";

/**
 * npm run bench -- quick [--save]: the ratios of the main work in about two minutes, beside those of the newest release
 * in bench/history; --save stores them there. npm run bench -- compare [FROM [TO]] prints those of two releases.
 *
 * npm run bench [-- PART ...], where a part is COUNTxBYTES, streams, listings, files, auto-backup, policies, object-store, postgres, console, peers, scale, command or attack: the speed and memory of the main job,
 * of streams, of listings, of uploads to /local-files, of automatic backups, of continuous policies, of the web console, of the command on files, and of a host under attack, as ratios against a reference that is measured in the same
 * run; peers is the main job beside other stores, scale that of ten million documents beside one. Default: 100000x500 and 10000x4096, and then all the others.
 */

const sizeOf = (directory: string) =>
  readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

/** What SQLite alone needs to copy the rows of a full backup, and to build an index of them, in milliseconds. */
async function bareSql(
  backup: string,
  directory: string,
): Promise<{ copyMs: number; indexMs: number }> {
  const segment = readdirSync(backup).find((name) => name.startsWith("base-")) ?? "";
  const script = join(import.meta.dirname ?? __dirname, "bare-sql.mjs");
  const args = [script, join(backup, segment), directory];
  return JSON.parse(await run(process.execPath, args)) as { copyMs: number; indexMs: number };
}

async function postRates(root: string, bytes: number): Promise<void> {
  const ratios: number[] = [];
  let ours = 0;
  let bare = 0;
  for (let round = 0; round < 3; round += 1) {
    const bareServer = await serve("bare-server.mjs", join(root, `bare-${round}`));
    bare = (await load(bareServer.port, { durationMs: 6000, bytes })).perSecond;
    await bareServer.close();
    const host = await serve("host-process.mjs", join(root, `posts-${round}`));
    ours = (await load(host.port, { durationMs: 6000, bytes })).perSecond;
    await host.close();
    ratios.push(ours / bare);
  }
  row(
    "durable POSTs, 32 connections",
    `${ours.toFixed(0)}/s`,
    `bare node:http, same writer: ${bare.toFixed(0)}/s`,
    median(ratios),
    ">= 0.85",
  );
}

async function mainJob(
  root: string,
  count: number,
  bytes: number,
  label: string,
): Promise<{ incremental: number }> {
  const host = await serve("host-process.mjs", join(root, "host"));
  const { port, child } = host;
  const pid = child.pid ?? 0;
  const destination = (name: string) => ({ destination: `file:${join(root, name)}` });
  const loaded = await load(port, { count, bytes });
  process.stderr.write(`${label}: loaded at ${loaded.perSecond.toFixed(0)}/s\n`);
  await fetch(`http://127.0.0.1:${port}/bench?$limit=1000`).then((response) =>
    response.arrayBuffer(),
  );
  await manage(port, "BackupRequest", { ...destination("warm"), backupType: "DIRECTORY" });

  const bases: number[] = [];
  const copies: number[] = [];
  let memory: Memory | undefined;
  for (let round = 0; round < 3; round += 1) {
    const watched = await watchMemory(pid, () =>
      manage(port, "BackupRequest", { ...destination(`dir-${round}`), backupType: "DIRECTORY" }),
    );
    ({ memory } = watched);
    bases.push(watched.result);
    copies.push(copySynced(join(root, `dir-${round}`), mkdtempSync(join(root, "copy-"))));
  }
  const size = sizeOf(join(root, "dir-0"));
  row(
    `${label}: base to a directory, ${mib(size)}`,
    ms(median(bases)),
    `copy with fsync: ${ms(median(copies))}`,
    median(copies) / median(bases),
    count < 1_000_000 ? ">= 0.35" : ">= 0.6",
  );
  const bare = await bareSql(join(root, "dir-0"), root);
  row(
    `${label}: base to a directory`,
    ms(median(bases)),
    `rows copied by SQLite alone: ${ms(bare.copyMs)}`,
    bare.copyMs / median(bases),
    "",
  );
  if (memory) memoryRow(`${label}: base`, memory);

  const incrementals: number[] = [];
  let written = 0;
  for (let round = 0; round < 3; round += 1) {
    const changed = Array.from(
      { length: Math.floor(count / 100) },
      (_, i) => (i * 97 + round) % count,
    );
    await patchDocuments(port, changed);
    const before = sizeOf(join(root, "dir-0"));
    incrementals.push(
      await manage(port, "BackupRequest", { ...destination("dir-0"), backupType: "DIRECTORY" }),
    );
    written = sizeOf(join(root, "dir-0")) - before;
  }
  const changedBytes = (count / 100) * (bytes + 130);
  row(
    `${label}: incremental, 1 % changed, ${mib(written)}`,
    ms(median(incrementals)),
    "",
    undefined,
    "no slower than Xenon's",
  );
  row(
    `${label}: bytes of it`,
    mib(written),
    `changed records: ${mib(changedBytes)}`,
    (written - 65536) / changedBytes,
    "<= 1.5 and 64 KiB",
  );

  const zip = await watchMemory(pid, () =>
    manage(port, "BackupRequest", { ...destination("b.zip"), backupType: "ZIP" }),
  );
  row(
    `${label}: ZIP, ${mib(statSync(join(root, "b.zip")).size)}`,
    ms(zip.result),
    "",
    undefined,
    ">= 3 x Xenon",
  );
  memoryRow(`${label}: ZIP`, zip.memory);

  // Few writers with pauses: the latency of one that is not held up by the others.
  const quiet = { bytes, connections: 4, pauseMs: 5, durationMs: 4000 };
  const idle = await load(port, { ...quiet, first: 10_000_000 });
  // As many as the threads of a backup.
  const compute = [join(import.meta.dirname ?? __dirname, "bare-compute.mjs"), "5000"];
  const [computed] = await Promise.all([
    load(port, { ...quiet, first: 15_000_000 }),
    ...[1, 2, 3].map(() => run(process.execPath, compute)),
  ]);
  child.send("stall");
  await nextMessage(child);
  const [busy] = await Promise.all([
    load(port, { ...quiet, first: 20_000_000 }),
    (async () => {
      await new Promise((resolve) => setTimeout(resolve, 300));
      for (let round = 0; round < 3; round += 1)
        await manage(port, "BackupRequest", {
          ...destination(`busy-${round}`),
          backupType: "DIRECTORY",
        });
    })(),
  ]);
  child.send("stall");
  const { stallMs } = (await nextMessage(child)) as { stallMs: number };
  row(
    `${label}: p99 of writers in backups`,
    `${busy.p99.toFixed(1)} ms`,
    `idle: ${idle.p99.toFixed(1)} ms`,
    busy.p99 / idle.p99,
    "<= 1.4",
  );
  row(
    `${label}: p99 of writers beside three processes that only compute`,
    `${computed.p99.toFixed(1)} ms`,
    `idle: ${idle.p99.toFixed(1)} ms`,
    computed.p99 / idle.p99,
    "",
  );
  row(`${label}: longest stall of the event loop`, ms(stallMs), "", undefined, "<= 30 ms");

  for (const [name, source] of [
    ["a directory", "dir-0"],
    ["a ZIP", "b.zip"],
  ] as const) {
    const restored = await watchMemory(
      pid,
      async () =>
        (await manage(port, "RestoreRequest", destination(source))) +
        (await untilReadable(port, count - 1)),
    );
    row(
      `${label}: restore from ${name}, until a document can be read`,
      ms(restored.result),
      `rows and key by SQLite alone: ${ms(bare.indexMs)}`,
      bare.indexMs / restored.result,
      name === "a ZIP" ? "1 M: < 9 s" : "1 M: < 6 s",
    );
    memoryRow(`${label}: restore from ${name}`, restored.memory);
  }
  await host.close();
  return { incremental: median(incrementals) };
}

async function quick(root: string, save: boolean): Promise<void> {
  await benchQuick(root);
  printTable();
  printChanges();
  if (save) saveRatios();
}

async function main(): Promise<void> {
  const given = process.argv.slice(2);
  if (given[0] === "compare") return compareReleases(given[1], given[2]);
  const isQuick = given[0] === "quick";
  const parts = {
    streams: benchStreams,
    listings: benchListings,
    files: benchFiles,
    "auto-backup": benchAutoBackup,
    policies: benchPolicies,
    "object-store": benchObjectStore,
    postgres: benchPostgres,
    console: benchConsole,
    peers: benchPeers,
    scale: benchScale,
    command: benchCommand,
    attack: benchAttack,
  };
  const sizes = (
    given.length > 0
      ? given.filter((one) => !isQuick && !(one in parts))
      : ["100000x500", "10000x4096"]
  ).map((text) => {
    const [count, bytes] = text.split("x").map(Number);
    if (!count || !bytes) throw new Error(`${text} is no size; write COUNTxBYTES`);
    return { count, bytes };
  });
  const root = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
  try {
    if (isQuick) return await quick(root, given.includes("--save"));
    if (sizes.length > 0) await postRates(root, 500);
    for (const [i, { count, bytes }] of sizes.entries()) {
      const directory = mkdtempSync(join(root, `size-${i}-`));
      await mainJob(directory, count, bytes, `${count} x ${bytes} B`);
      rmSync(directory, { recursive: true });
    }
    for (const [name, bench] of Object.entries(parts))
      if (given.length === 0 || given.includes(name)) await bench(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  printTable();
}

await main();

import { mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { startCpuMs, timed } from "./command.js";
import { compare } from "./compare.js";
import { manage, untilReadable } from "./management.js";
import { load, run, serve, type Served } from "./process-tools.js";
import { compareCalls, compareStreams, streamServers } from "./streams.js";
import { copySynced } from "./synced.js";
import { ms } from "./table.js";

const documents = 50_000;
const bytes = 490;
const perSecond = (value: number) => `${value.toFixed(0)}/s`;

/**
 * A guard against regressions, in about two minutes: the main work as ratios against bare programs of the same run.
 */
export async function benchQuick(root: string): Promise<void> {
  const directory = join(root, "quick");
  mkdirSync(directory);
  const host = await serve("host-process.mjs", join(directory, "host"));
  await compareReads(host);
  await compareWrites(host, directory);
  await compareBackups(directory);
  await host.close();
  await compareCommand(directory);
  const archiveBytes = 64 * 1024 * 1024;
  const servers = await streamServers(join(directory, "streams"), archiveBytes);
  await compareStreams(servers, archiveBytes);
  await compareCalls(servers, 1500);
  await servers.close();
}

/** Each server works for a while before it is measured, until its code is compiled. */
async function compareReads(host: Served): Promise<void> {
  const memory = await serve("memory-server.mjs");
  const there = 10_000;
  for (const { port } of [host, memory]) await load(port, { count: there, bytes });
  const reads = async ({ port }: Served) =>
    (await load(port, { durationMs: 1500, bytes, there })).perSecond;
  for (const server of [host, memory]) await reads(server);
  await compare({
    work: "reads by key over HTTP, 32 connections",
    mark: ">= 0.8",
    what: "bare node:http from memory",
    show: perSecond,
    ours: () => reads(host),
    reference: () => reads(memory),
  });
  await memory.close();
}

async function compareWrites(host: Served, directory: string): Promise<void> {
  const bare = await serve("bare-server.mjs", join(directory, "bare"));
  let first = 1_000_000;
  for (const size of [bytes, 64 * 1024]) {
    const writes = async ({ port }: Served) => {
      const { perSecond: rate, next } = await load(port, { durationMs: 1500, bytes: size, first });
      first = next;
      return rate;
    };
    for (const server of [host, bare]) await writes(server);
    await compare({
      work: `durable writes of ${size} B over HTTP, 32 connections`,
      mark: ">= 0.85",
      what: "bare node:http, same writer",
      show: perSecond,
      ours: () => writes(host),
      reference: () => writes(bare),
    });
  }
  await bare.close();
}

/** Of the same documents: backups and restores beside a copy, and beside deflating the same file. */
async function compareBackups(directory: string): Promise<void> {
  const data = await serve("host-process.mjs", join(directory, "documents"));
  const { port } = data;
  await load(port, { count: documents, bytes });
  const backup = (name: string, backupType: string) =>
    manage(port, "BackupRequest", { destination: `file:${join(directory, name)}`, backupType });
  const restore = async (name: string) =>
    (await manage(port, "RestoreRequest", { destination: `file:${join(directory, name)}` })) +
    (await untilReadable(port, documents - 1));
  await backup("first", "DIRECTORY");
  const copied = async () =>
    copySynced(join(directory, "first"), mkdtempSync(join(directory, "copy-")));
  const segment = readdirSync(join(directory, "first")).find((name) => name.endsWith(".sqlite"));
  const deflated = async () => {
    const begun = performance.now();
    const paths = [join(directory, "first", segment ?? ""), join(directory, "deflated")];
    await run(process.execPath, [
      join(import.meta.dirname ?? __dirname, "deflate-file.mjs"),
      ...paths,
    ]);
    return performance.now() - begun;
  };
  let number = 0;
  const time = { show: ms, kind: "time" as const };
  await compare({
    ...time,
    work: "full backup to a directory, read back",
    what: "copy with fsync",
    ours: () => backup(`base-${(number += 1)}`, "DIRECTORY"),
    reference: copied,
  });
  await compare({
    ...time,
    work: "ZIP backup, read back",
    what: "deflate of the same file",
    ours: () => backup(`${(number += 1)}.zip`, "ZIP"),
    reference: deflated,
  });
  await compare({
    ...time,
    work: "restore from a directory until readable",
    what: "copy with fsync",
    ours: () => restore("first"),
    reference: copied,
  });
  await compare({
    ...time,
    work: "restore from a ZIP until readable",
    what: "deflate of the same file",
    ours: () => restore(`${number}.zip`),
    reference: deflated,
  });
  await data.close();
}

async function compareCommand(directory: string): Promise<void> {
  const backup = join(directory, "first");
  const files = readdirSync(backup).map((name) => join(backup, name));
  await compare({
    work: "holdfast verify",
    what: "sha256 of the same files",
    show: ms,
    kind: "time",
    ours: async () => (await timed(["verify", backup])).took,
    reference: async () => (await timed(undefined, files)).took,
  });
  for (const args of [["--help"], ["inspect", backup]])
    await compare({
      work: `holdfast ${args[0]}, CPU`,
      what: "node -e 0",
      show: ms,
      kind: "time",
      ours: async () => startCpuMs(args),
      reference: async () => startCpuMs(undefined),
    });
}

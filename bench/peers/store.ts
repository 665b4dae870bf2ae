import { setTimeout as sleep } from "node:timers/promises";
import { load } from "../process-tools.js";

/** What Holdfast is measured beside: another store, or a program that backs up what Holdfast exported or stored. */
export interface Peer {
  name: PeerName;
  /** Starts it in a new directory. Programs for backups get the store whose documents they back up. */
  start(directory: string, ours?: Store): Promise<Store>;
}

export const peerNames = [
  "Holdfast",
  "memory",
  "writer",
  "copy",
  "Xenon",
  "PostgreSQL",
  "etcd",
  "restic",
] as const;
export type PeerName = (typeof peerNames)[number];

/** A running peer: what it cannot do is missing. Rates are per second, and times in milliseconds. */
export interface Store {
  /** Loads so many documents of documentBytes, called d0, d1, ... */
  load?(count: number): Promise<void>;
  /** Reads by key of the documents that were loaded, over so many connections at a time. */
  reads?(): Promise<number>;
  writes?(bytes: number): Promise<number>;
  /** A backup to a new place, as plain files. */
  fullBackup?(): Promise<number>;
  /** Changes 1 % of the documents, and then adds them to the last full backup. Only the latter counts. */
  incremental?(): Promise<number>;
  /** A backup to one compressed file. */
  zip?(): Promise<number>;
  /** A backup to a plain HTTP server. */
  stream?(): Promise<number>;
  /** A restore of the last full backup, or of the compressed file, until a document can be read. */
  restoreDirectory?(): Promise<number>;
  restoreZip?(): Promise<number>;
  /** Directory of the last full backup. */
  backupDirectory?(): string;
  /** Writes the documents of the last full backup as NDJSON. */
  exportBackup?(file: string): Promise<void>;
  stop(): Promise<void>;
}

export const connections = 32;
export const documentBytes = 490;
export const rateSeconds = 4;

/** Milliseconds that the work takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** Asks every few milliseconds, for a minute at the most, until the answer is a success that contains the text. */
export async function untilOk(url: string, contains = "", init: RequestInit = {}): Promise<void> {
  const end = performance.now() + 60_000;
  const isOk = () =>
    fetch(url, { ...init, signal: AbortSignal.timeout(10_000) }).then(
      async (response) => (await response.text()).includes(contains) && response.ok,
      () => false,
    );
  while (!(await isOk())) {
    if (performance.now() > end) throw new Error(`${url} has not answered for a minute`);
    await sleep(5);
  }
}

/** Documents, reads and writes over HTTP, by the load generator in a process of its own. */
export function httpWork(
  port: number,
  { path = "/bench", dialect }: { path?: string; dialect?: "etcd" } = {},
): Required<Pick<Store, "load" | "reads" | "writes">> {
  const shared = { connections, path, dialect };
  const durationMs = rateSeconds * 1000;
  let loaded = 0;
  let first = 0;
  return {
    async load(count) {
      ({ next: first } = await load(port, { ...shared, count, bytes: documentBytes }));
      loaded = count;
    },
    async reads() {
      const options = { ...shared, durationMs, bytes: documentBytes, there: loaded };
      return (await load(port, options)).perSecond;
    },
    async writes(bytes) {
      const { perSecond, next } = await load(port, { ...shared, durationMs, bytes, first });
      first = next;
      return perSecond;
    },
  };
}

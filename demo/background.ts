import type { Client } from "./client.js";
import { compareDocuments, ownFields } from "./compare.js";
import type { Body } from "./corpus.js";

/** Load that runs in the background until it is stopped. */
export interface Background<T> {
  stop(): Promise<T>;
}

/** Factory of the documents that the writers create. */
export const visitFactory = "/mdn/visits";
const writerCount = 8;

/** Result of the writers. */
export interface Writes {
  /** Number of acknowledged visits of each writer, which are numbered from 0 in order. */
  acknowledged: number[];
  total: number;
  slowestMs: number;
}

/** Starts writers that create visits one after the other and rewrite features unchanged. */
export function startWriters(
  client: Client,
  features: ReadonlyMap<string, Body>,
): Background<Writes> & { now(): number[] } {
  const acknowledged = new Array<number>(writerCount).fill(0);
  const all = [...features];
  let stopped = false;
  let total = 0;
  let slowestMs = 0;
  const timed = async (work: Promise<unknown>) => {
    const start = performance.now();
    await work;
    slowestMs = Math.max(slowestMs, performance.now() - start);
    total += 1;
  };
  const write = async (writer: number) => {
    for (let turn = 0; !stopped; turn += 1) {
      await timed(
        client.request("POST", visitFactory, {
          documentSelfLink: `${writer}-${turn}`,
          writer,
          turn,
        }),
      );
      acknowledged[writer] = turn + 1;
      const feature = all[(turn * writerCount + writer) % all.length];
      if (feature) await timed(client.request("PUT", feature[0], feature[1]));
    }
  };
  const done = Promise.all(acknowledged.map((_none, writer) => write(writer)));
  done.catch(() => {});
  return {
    now: () => [...acknowledged],
    async stop() {
      stopped = true;
      await done;
      return { acknowledged, total, slowestMs };
    },
  };
}

/**
 * Returns whether a backup of one point in time can contain these visits: the first visits of each
 * writer without a gap, at least those acknowledged before the backup started, and none that were
 * sent after it ended.
 */
export function visitsAreConsistent(
  visits: ReadonlyMap<string, Body>,
  atLeast: readonly number[],
  atMost: readonly number[],
): boolean {
  return atLeast.every((least, writer) => {
    const turns = [...visits.values()]
      .filter((visit) => visit["writer"] === writer)
      .map((visit) => Number(visit["turn"]));
    const count = turns.length;
    return (
      count >= least && count <= (atMost[writer] ?? 0) + 1 && Math.max(-1, ...turns) === count - 1
    );
  });
}

/** Result of the readers. */
export interface Reads {
  total: number;
  /** Number of responses with the state before the switch, and with the state after it. */
  before: number;
  after: number;
  failed: string[];
  slowestMs: number;
}

const readerCount = 8;

/** Starts readers that loop over documents: each response must have the old or the new state. */
export function startReaders(
  client: Client,
  links: readonly string[],
  before: ReadonlyMap<string, Body>,
  after: ReadonlyMap<string, Body>,
): Background<Reads> {
  const reads: Reads = { total: 0, before: 0, after: 0, failed: [], slowestMs: 0 };
  let stopped = false;
  const isState = (state: ReadonlyMap<string, Body>, link: string, body: Body) =>
    compareDocuments(new Map([[link, state.get(link) ?? {}]]), new Map([[link, body]])).length ===
    0;
  const read = async (link: string) => {
    const start = performance.now();
    const { status, text } = await client.send("GET", link);
    reads.slowestMs = Math.max(reads.slowestMs, performance.now() - start);
    reads.total += 1;
    if (status !== 200) reads.failed.push(`${link}: ${status}`);
    else {
      const body = ownFields(JSON.parse(text) as Body);
      if (isState(after, link, body)) reads.after += 1;
      else if (isState(before, link, body)) reads.before += 1;
      else reads.failed.push(`${link}: neither the old nor the new state`);
    }
  };
  const loop = async (reader: number) => {
    for (let turn = reader; !stopped; turn += readerCount) {
      const link = links[turn % links.length] ?? "";
      await read(link).catch((error: unknown) => reads.failed.push(`${link}: ${String(error)}`));
    }
  };
  const done = Promise.all(Array.from({ length: readerCount }, (_none, reader) => loop(reader)));
  return {
    async stop() {
      stopped = true;
      await done;
      return reads;
    },
  };
}

import type { Client } from "./client.js";
import { compareDocuments, ownFields } from "./compare.js";
import type { Body } from "./corpus.js";

/** Work that goes on beside the story until it is stopped. */
export interface Background<T> {
  stop(): Promise<T>;
}

export const visitFactory = "/mdn/visits";
const writerCount = 8;

export interface Writes {
  /** Acknowledged visits of each writer: it wrote the numbers below this one, in order. */
  acknowledged: number[];
  total: number;
  slowestMs: number;
}

/** Writers that note visits, each one after the other, and write features again as they are: a host in use. */
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
    const begun = performance.now();
    await work;
    slowestMs = Math.max(slowestMs, performance.now() - begun);
    total += 1;
  };
  const write = async (writer: number) => {
    for (let turn = 0; !stopped; turn += 1) {
      await timed(
        client.ask("POST", visitFactory, { documentSelfLink: `${writer}-${turn}`, writer, turn }),
      );
      acknowledged[writer] = turn + 1;
      const feature = all[(turn * writerCount + writer) % all.length];
      if (feature) await timed(client.ask("PUT", feature[0], feature[1]));
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
 * Whether visits are what a backup of one moment can hold: of each writer its first ones without a gap, at least those
 * acknowledged before the backup began and none that were not yet begun when it had ended.
 */
export function visitsAreOfOneMoment(
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

export interface Reads {
  total: number;
  /** Answers that showed the state before the switch, and the one after it. */
  before: number;
  after: number;
  failed: string[];
  slowestMs: number;
}

const readerCount = 8;

/** Readers that ask for documents over and over: each answer must be the old state of the document or the new one. */
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
    const begun = performance.now();
    const { status, text } = await client.send("GET", link);
    reads.slowestMs = Math.max(reads.slowestMs, performance.now() - begun);
    reads.total += 1;
    if (status !== 200) reads.failed.push(`${link}: ${status}`);
    else {
      const body = ownFields(JSON.parse(text) as Body);
      if (isState(after, link, body)) reads.after += 1;
      else if (isState(before, link, body)) reads.before += 1;
      else reads.failed.push(`${link}: neither the old state nor the new one`);
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

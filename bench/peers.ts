import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { copy, memory, writer } from "./peers/bare.js";
import { etcd } from "./peers/etcd.js";
import { holdfast } from "./peers/holdfast.js";
import { postgres } from "./peers/postgres.js";
import { restic } from "./peers/restic.js";
import {
  connections,
  documentBytes,
  peerNames,
  type Peer,
  type PeerName,
  type Store,
} from "./peers/store.js";
import { xenon } from "./peers/xenon.js";
import { median, ms, row } from "./table.js";

const rounds = 3;
/** Documents of the reads and writes, and of the backups and restores. */
const documentsRead = 20_000;
const documents = Number(process.env["PEERS_DOCUMENTS"] ?? 100_000);

/** Something that is measured: what it is called of each peer, and the goal of Holdfast beside it. */
interface Work {
  title: string;
  kind: "rate" | "time";
  of(store: Store): (() => Promise<number>) | undefined;
  against: Partial<Record<PeerName, [reference: string, goal?: string]>>;
}

const writesOf = (bytes: number, size: string, against: Work["against"]): Work => ({
  title: `durable writes of ${size}, ${connections} connections`,
  kind: "rate",
  of: ({ writes }) => writes && (() => writes(bytes)),
  against,
});
const bareWriter = "bare node:http, same writer";

const rateWorks: Work[] = [
  {
    title: `reads by key, ${connections} connections`,
    kind: "rate",
    of: (store) => store.reads,
    against: {
      memory: ["bare node:http from memory", ">= 0.8"],
      Xenon: ["Xenon", ">= 1.5"],
      PostgreSQL: ["PostgreSQL by pgbench"],
      etcd: ["etcd, JSON gateway"],
    },
  },
  writesOf(documentBytes, "500 B", {
    memory: ["bare node:http, kept nowhere"],
    writer: [bareWriter, ">= 0.85"],
    Xenon: ["Xenon, not durable", ">= 3"],
    PostgreSQL: ["PostgreSQL by pgbench"],
    etcd: ["etcd, JSON gateway"],
  }),
  // Xenon refuses documents of more than 32 KiB.
  writesOf(24 * 1024, "24 KiB", {
    writer: [bareWriter],
    Xenon: ["Xenon, not durable", ">= 3"],
  }),
  writesOf(64 * 1024, "64 KiB", { writer: [bareWriter, ">= 0.85"] }),
];

const backupWorks: Work[] = [
  {
    title: "full backup to a directory",
    kind: "time",
    of: (store) => store.fullBackup,
    against: {
      copy: ["copy with fsync", documents < 1_000_000 ? ">= 0.35" : ">= 0.6"],
      Xenon: ["Xenon and fsync", ">= 0.67"],
      PostgreSQL: ["pg_basebackup", "> 1"],
      etcd: ["etcdctl snapshot save", "> 1"],
      restic: ["restic backup of NDJSON"],
    },
  },
  {
    title: "incremental backup to a directory, 1 % changed",
    kind: "time",
    of: (store) => store.incremental,
    against: { Xenon: ["Xenon and fsync", ">= 1"] },
  },
  {
    title: "ZIP backup",
    kind: "time",
    of: (store) => store.zip,
    against: { Xenon: ["Xenon", ">= 3"] },
  },
  {
    title: "STREAM backup to a plain HTTP server",
    kind: "time",
    of: (store) => store.stream,
    against: { Xenon: ["Xenon", ">= 2.5"] },
  },
  {
    title: "restore from a directory until a document can be read",
    kind: "time",
    of: (store) => store.restoreDirectory,
    against: {
      Xenon: ["Xenon, restart included", ">= 2"],
      etcd: ["etcdctl snapshot restore and start"],
    },
  },
  {
    title: "restore from a ZIP until a document can be read",
    kind: "time",
    of: (store) => store.restoreZip,
    against: {
      Xenon: ["Xenon, restart included", ">= 2"],
      PostgreSQL: ["pg_restore of a custom dump"],
    },
  },
];

/**
 * Reads, writes, backups and restores of documents of 500 B beside what else is installed: in turns, round by round.
 * PEERS_DOCUMENTS: how many are backed up and restored. PEERS: names of those to measure beside, separated by commas;
 * default: all that are installed.
 */
export async function benchPeers(root: string): Promise<void> {
  if (!(documents >= 100)) throw new Error("PEERS_DOCUMENTS has to be a number from 100 on");
  const chosen: readonly string[] = process.env["PEERS"]?.split(",") ?? peerNames;
  for (const name of chosen)
    if (!peerNames.some((one) => one === name))
      throw new Error(`PEERS: ${name} is none of ${peerNames.join(", ")}`);
  const others = [copy, memory, writer]
    .concat(xenon(), postgres(), etcd(), restic())
    .filter(({ name }) => chosen.includes(name));
  await measureRates(root, others);
  await measureBackups(root, others);
}

/** The works that any of these takes part in. */
const common = (works: Work[], peers: Peer[]) =>
  works.filter(({ against }) => peers.some(({ name }) => name in against));

/** Holdfast, and the peers that take part in any of the works. */
const participants = (works: Work[], others: Peer[]) => [
  holdfast,
  ...others.filter(({ name }) => works.some(({ against }) => name in against)),
];

/** Measured values of each peer, in the order of the rounds. */
type Values = Map<PeerName, number[]>;

async function measure(work: Work, { name }: Peer, store: Store, values: Values): Promise<void> {
  const run = name === holdfast.name || name in work.against ? work.of(store) : undefined;
  if (!run) return;
  // What the one before left to be written is not to be waited for in the next.
  execFileSync("sync");
  values.set(name, [...(values.get(name) ?? []), await run()]);
}

/** Each store is started anew for each round, and runs alone. */
async function measureRates(root: string, others: Peer[]): Promise<void> {
  const works = common(rateWorks, others);
  if (works.length === 0) return;
  const measured = works.map((work) => ({ work, values: new Map() as Values }));
  for (let round = 0; round < rounds; round += 1)
    for (const peer of participants(works, others)) {
      const store = await peer.start(join(root, `rates-${peer.name}-${round}`));
      await store.load?.(documentsRead);
      // Until its code is compiled, and its caches are filled.
      await store.reads?.();
      for (const { work, values } of measured) await measure(work, peer, store, values);
      await store.stop();
    }
  for (const { work, values } of measured) report(work, values);
}

/** All are started and loaded once; those that are not measured have nothing to do meanwhile. */
async function measureBackups(root: string, others: Peer[]): Promise<void> {
  const works = common(backupWorks, others);
  if (works.length === 0) return;
  const running: { peer: Peer; store: Store }[] = [];
  for (const peer of participants(works, others)) {
    const store = await peer.start(join(root, `backups-${peer.name}`), running[0]?.store);
    running.push({ peer, store });
    const begun = performance.now();
    await store.load?.(documents);
    if (store.load)
      process.stderr.write(`${peer.name}: loaded in ${ms(performance.now() - begun)}\n`);
  }
  for (const work of works) {
    const values: Values = new Map();
    for (let round = 0; round < rounds; round += 1)
      for (const { peer, store } of running) await measure(work, peer, store, values);
    report(work, values);
  }
  for (const { store } of running) await store.stop();
}

function report({ title, kind, against }: Work, values: Values): void {
  const own = values.get(holdfast.name) ?? [];
  for (const name of peerNames) {
    const theirs = values.get(name);
    const [reference, goal = ""] = against[name] ?? [];
    if (!theirs || reference === undefined) continue;
    const ratios = own.map((value, at) => {
      const other = theirs[at] ?? NaN;
      return kind === "rate" ? value / other : other / value;
    });
    const what = kind === "rate" ? title : `${documents} documents: ${title}`;
    row(what, range(own, kind), `${reference}: ${range(theirs, kind)}`, median(ratios), goal);
  }
}

function range(values: number[], kind: Work["kind"]): string {
  const text = (value: number) => (kind === "rate" ? `${value.toFixed(0)}/s` : ms(value));
  return `${text(median(values))} (${text(Math.min(...values))} to ${text(Math.max(...values))})`;
}

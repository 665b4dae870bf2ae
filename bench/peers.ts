import { execFile, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "./local-store.js";
import { startServer } from "./postgres-server.js";
import { load, serve } from "./process-tools.js";
import { median, row } from "./table.js";

const rounds = 3;
const seconds = 4;
const documents = 20_000;
const bytes = 490;
const connections = 32;

/** Requests per second of one round. */
interface Rates {
  reads: number;
  writes: number;
}

/** A store that is measured: each round starts it anew, in a directory of its own. */
interface Peer {
  name: string;
  /** About its writes. */
  note: string;
  round(directory: string): Promise<Rates>;
}

/** Reads by key and writes of documents of 500 B over 32 connections, beside what else is installed: side by side, in turns. */
export async function benchPeers(root: string): Promise<void> {
  const peers: Peer[] = [
    overHttp("Holdfast", "durable", "host-process.mjs"),
    overHttp("bare node:http from memory", "kept nowhere", "memory-server.mjs"),
    ...xenon(),
    ...postgres(),
  ];
  const measured = new Map<string, Rates[]>(peers.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1)
    for (const [n, peer] of peers.entries())
      measured.get(peer.name)?.push(await peer.round(join(root, `peer-${round}-${n}`)));
  const [ours] = peers;
  const own = measured.get(ours?.name ?? "") ?? [];
  const others = peers.slice(1);
  for (const { name, note } of others) {
    const rates = measured.get(name) ?? [];
    for (const kind of ["reads", "writes"] as const) {
      const ratio = median(own.map((one, at) => one[kind] / (rates[at]?.[kind] ?? NaN)));
      const goal = goals[`${kind} ${name}`] ?? "";
      const what = kind === "reads" ? "reads by key" : `writes (${note})`;
      row(`${what}, 32 connections`, text(own, kind), `${name}: ${text(rates, kind)}`, ratio, goal);
    }
  }
}

const goals: Partial<Record<string, string>> = {
  "reads bare node:http from memory": ">= 0.8",
  "reads Xenon": ">= 1.5",
  "writes Xenon": ">= 3",
};

function text(rates: Rates[], kind: keyof Rates): string {
  const all = rates.map((one) => one[kind]);
  const k = (value: number) => (value / 1000).toFixed(1);
  return `${k(median(all))} k/s (${k(Math.min(...all))} to ${k(Math.max(...all))})`;
}

function overHttp(name: string, note: string, script: string): Peer {
  return {
    name,
    note,
    async round(directory) {
      const host = await serve(script, directory);
      const rates = await ratesAt(host.port);
      await host.close();
      return rates;
    },
  };
}

async function ratesAt(port: number, path = "/bench"): Promise<Rates> {
  const shared = { bytes, connections, path };
  const durationMs = seconds * 1000;
  await load(port, { ...shared, count: documents });
  const reads = await load(port, { ...shared, durationMs, there: documents });
  const writes = await load(port, { ...shared, durationMs, first: 10 * documents });
  return { reads: reads.perSecond, writes: writes.perSecond };
}

/** A build of Xenon that XENON_HOME names; it starts with its script. */
function xenon(): Peer[] {
  const script = join(process.env["XENON_HOME"] ?? "", "run.sh");
  if (!existsSync(script)) {
    process.stderr.write("SKIPPED: Xenon: XENON_HOME names no directory with run.sh.\n");
    return [];
  }
  return [
    {
      name: "Xenon",
      note: "not durable",
      async round(directory) {
        const port = await freePort();
        mkdirSync(directory);
        const child = spawn(script, [String(port), directory], {
          stdio: "ignore",
          env: { ...process.env, JAVA_OPTS: "-Xmx4g" },
        });
        const ended = new Promise((done) => child.once("exit", done));
        const isUp = () =>
          fetch(`http://127.0.0.1:${port}/core/examples`).then(
            ({ ok }) => ok,
            () => false,
          );
        for (let left = 600; left > 0 && !(await isUp()); left -= 1) await sleep(100);
        const rates = await ratesAt(port, "/core/examples");
        child.kill();
        await ended;
        return rates;
      },
    },
  ];
}

/** PostgreSQL by pgbench, with prepared statements: no HTTP, and no JSON but the stored one. */
function postgres(): Peer[] {
  const bench = "/usr/bin/pgbench";
  if (!existsSync(bench)) {
    process.stderr.write("SKIPPED: PostgreSQL: no pgbench (Debian: postgresql) is installed.\n");
    return [];
  }
  return [
    {
      name: "PostgreSQL by pgbench",
      note: "durable",
      async round(directory) {
        const server = await startServer(directory);
        if (!server) return { reads: NaN, writes: NaN };
        const sql = (command: string) =>
          execFileSync("psql", [server.url, "-qc", command], { stdio: "ignore", cwd: "/" });
        sql("CREATE TABLE documents (link text PRIMARY KEY, body jsonb NOT NULL)");
        sql(
          `INSERT INTO documents SELECT '/bench/d' || n, jsonb_build_object('name', 'n' || n, 'pad', repeat('x', ${bytes - 60})) FROM generate_series(0, ${documents - 1}) n`,
        );
        sql("VACUUM ANALYZE documents");
        const rate = async (name: string, text: string) => {
          const file = join(directory, `${name}.sql`);
          writeFileSync(file, text);
          const args = ["-n", "-M", "prepared", "-c", String(connections), "-j", "2"];
          const { stdout } = await promisify(execFile)(
            bench,
            [...args, "-T", String(seconds), "-f", file, server.url],
            { cwd: "/" },
          );
          return Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
        };
        const reads = await rate(
          "read",
          `\\set n random(0, ${documents - 1})\nSELECT body FROM documents WHERE link = '/bench/d' || :n::text;\n`,
        );
        const writes = await rate(
          "write",
          `\\set n random(${documents}, 2000000000)\nINSERT INTO documents VALUES ('/bench/d' || :n::text, jsonb_build_object('name', :n::text, 'pad', repeat('x', ${bytes - 60}))) ON CONFLICT (link) DO UPDATE SET body = EXCLUDED.body;\n`,
        );
        await server.stop();
        return { reads, writes };
      },
    },
  ];
}

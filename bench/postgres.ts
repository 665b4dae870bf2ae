import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { startServer } from "./postgres-server.js";
import { load, serve, type Served } from "./process-tools.js";
import { median, ms, row } from "./table.js";

const here = import.meta.dirname ?? __dirname;
const seconds = 4;
const rounds = 3;
const documents = 500_000;
const documentsRead = 20_000;

/** The PostgreSQL engine against bare SQL of the same shape, and against the SQLite engine. */
export async function benchPostgres(root: string): Promise<void> {
  const server = await startServer(join(root, "postgres"));
  if (!server) return;
  let runs = 0;
  const run = async <T>(mode: string, schema: string, amount: number, url = server.url) => {
    const directory = join(root, `postgres-${(runs += 1)}`);
    const args = [join(here, "postgres-load.mjs"), mode, url, schema, directory, String(amount)];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return JSON.parse(stdout) as T;
  };
  const rate = (mode: string, schema: string) =>
    run<{ perSecond: number }>(mode, schema, seconds).then(({ perSecond }) => perSecond);
  const compare = async (work: string, ours: string, bare: string, mark: string) => {
    const pairs: [number, number][] = [];
    for (let round = 0; round < rounds; round += 1) {
      const schema = `bench_${ours.replace("-", "_")}_${round}`;
      pairs.push([await rate(ours, schema), await rate(bare, schema)]);
    }
    const [mine, other] = [median(pairs.map(([one]) => one)), median(pairs.map(([, two]) => two))];
    const ratio = median(pairs.map(([one, two]) => one / two));
    row(work, `${mine.toFixed(0)}/s`, `bare pg ${other.toFixed(0)}/s`, ratio, mark);
    return mine;
  };
  try {
    const alone = await compare(
      "PostgreSQL: durable writes, 32 at a time",
      "write-engine",
      "write-bare",
      ">= 0.8",
    );
    const together = async (mode: string, schema: string) => {
      const all = Array.from({ length: 4 }, () => rate(mode, schema));
      return (await Promise.all(all)).reduce((sum, one) => sum + one, 0);
    };
    const four: [number, number][] = [];
    for (let round = 0; round < rounds; round += 1) {
      const schema = `bench_four_${round}`;
      four.push([await together("write-engine", schema), await together("write-bare", schema)]);
    }
    const ours = median(four.map(([one]) => one));
    row(
      "PostgreSQL: writes of four hosts together, 32 at a time each",
      `${ours.toFixed(0)}/s`,
      `one host ${alone.toFixed(0)}/s`,
      ours / alone,
      ">= 1",
    );
    row(
      "the same",
      `${ours.toFixed(0)}/s`,
      `four clients of bare pg ${median(four.map(([, two]) => two)).toFixed(0)}/s`,
      median(four.map(([one, two]) => one / two)),
      "",
    );
    await compare("PostgreSQL: reads by key, 32 at a time", "read-engine", "read-bare", ">= 0.8");
    const throughHttp = await Promise.all([
      serve(
        "host-process.mjs",
        join(root, "postgres-http"),
        JSON.stringify({ postgres: { url: server.url, schema: "bench_http" } }),
      ),
      serve("host-process.mjs", join(root, "sqlite-http")),
    ]);
    for (const { port } of throughHttp) await load(port, { count: documentsRead, bytes: 490 });
    const gets: [number, number][] = [];
    const get = async ({ port }: Served) =>
      (await load(port, { durationMs: seconds * 1000, bytes: 490, there: documentsRead }))
        .perSecond;
    for (let round = 0; round < rounds; round += 1)
      gets.push([await get(throughHttp[0]), await get(throughHttp[1])]);
    for (const host of throughHttp) await host.close();
    row(
      "PostgreSQL: the same through HTTP",
      `${median(gets.map(([one]) => one)).toFixed(0)}/s`,
      `host on SQLite ${median(gets.map(([, two]) => two)).toFixed(0)}/s`,
      median(gets.map(([one, two]) => one / two)),
      "",
    );
    interface Bulk {
      baseMs: number;
      buildMs: number;
      growthMib: number;
    }
    const bulks: [Bulk, Bulk][] = [];
    for (let round = 0; round < rounds; round += 1)
      bulks.push([
        await run<Bulk>("bulk", `bench_bulk_${round}`, documents),
        await run<Bulk>("bulk", "", documents, "sqlite"),
      ]);
    for (const [work, of, mark] of [
      ["base", ({ baseMs }: Bulk) => baseMs, ">= 0.45"],
      ["restored generation", ({ buildMs }: Bulk) => buildMs, ">= 0.8"],
    ] as const)
      row(
        `PostgreSQL: ${work} of ${documents} documents`,
        ms(median(bulks.map(([ours]) => of(ours)))),
        `SQLite engine ${ms(median(bulks.map(([, sqlite]) => of(sqlite))))}`,
        median(bulks.map(([ours, sqlite]) => of(sqlite) / of(ours))),
        mark,
      );
    row(
      "PostgreSQL: memory of the host during that restore",
      `+${median(bulks.map(([ours]) => ours.growthMib)).toFixed(0)} MiB`,
      "",
      undefined,
      "< +64 MiB",
    );
  } finally {
    await server.stop();
  }
}

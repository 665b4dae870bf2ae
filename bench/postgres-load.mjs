// One measurement of an engine, or of bare SQL of the same shape: MODE URL SCHEMA DIRECTORY SECONDS|COUNT. Prints JSON.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { openPostgres, openSqlite } from "../dist/src/engine/registry.js";
import { systemPlatform } from "../dist/src/io/platform.js";

const [mode, url, schema, directory, amount] = process.argv.slice(2);
const link = "/bench";
const body = JSON.stringify({ text: "x".repeat(480) });
const writers = 32;
const signal = new AbortController().signal;

mkdirSync(directory, { recursive: true });
const files = { platform: systemPlatform, directoryOf: () => join(directory, "index") };
const openEngine = () =>
  url === "sqlite"
    ? openSqlite(files)
    : openPostgres(files, {
        address: { url },
        schema,
        hostId: `bench-${process.pid}`,
        installation: directory,
        version: "0",
        onBackgroundError: (error) => console.error(error),
      });

async function openIndex() {
  const engine = openEngine();
  const storage = await engine.openIndex({
    link,
    durable: true,
    nowMicros: systemPlatform.nowMicros,
    retainedVersions: 10_000,
    historyMicros: 86_400_000_000,
    onBackgroundError: (error) => console.error(error),
  });
  return { engine, storage, live: await storage.openLive() };
}

const post = (name) => ({
  action: "POST",
  link: `/bench/${name}`,
  kind: "bench:kind",
  owner: "bench",
  body,
  mergeRule: "shallow",
});

/** Calls per second of `work` by concurrent callers. */
async function rate(seconds, callers, work) {
  const until = performance.now() + seconds * 1000;
  const begun = performance.now();
  let count = 0;
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      while (performance.now() < until) {
        await work(caller, count);
        count += 1;
      }
    }),
  );
  return { perSecond: (count / (performance.now() - begun)) * 1000 };
}

async function writeEngine() {
  const { engine, live } = await openIndex();
  const own = process.pid;
  const result = await rate(Number(amount), writers, (caller, n) =>
    live.write(post(`${own}-${caller}-${n}`)),
  );
  await live.close();
  await engine.close?.();
  return result;
}

/** The statements of a batch of 32 writes, pipelined, on the tables of the engine. */
async function writeBare() {
  const { engine, live } = await openIndex();
  await live.close();
  await engine.close?.();
  const client = new pg.Client({ connectionString: url, pipeline: true });
  await client.connect();
  const t = (name) => `"${schema}"."${name}"`;
  const { rows } = await client.query(`SELECT id, live FROM ${t("idx")} WHERE link = $1`, [link]);
  const [{ id, live: generation }] = rows;
  const log = t(`log_${generation}`);
  let n = 0;
  const batch = async () => {
    // The same places in the index as those of writeEngine.
    const names = Array.from(
      { length: writers },
      (_, caller) => `/bench/bare-${process.pid}-${caller}-${(n += 1)}`,
    );
    const begun = client.query("BEGIN; SET LOCAL synchronous_commit = on");
    const locked = client.query({
      name: "lock",
      text: `UPDATE ${t("idx")} SET last = greatest(last + $2, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + $2 - 1) WHERE id = $1 RETURNING last`,
      values: [id, writers],
    });
    const heads = client.query({
      name: "heads",
      text: `SELECT h.* FROM unnest($1::text[]) AS k(link) CROSS JOIN LATERAL (SELECT time, version FROM ${log} l WHERE l.link = k.link ORDER BY version DESC LIMIT 1) h`,
      values: [names],
    });
    await begun;
    const last = Number((await locked).rows[0].last);
    await heads;
    const column = (value) => names.map(() => value);
    const sent = [
      client.query({
        name: "insert",
        text: `INSERT INTO ${log} (time, link, version, action, kind, owner, expires, body, crc)
          SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::bigint[])`,
        values: [
          names.map((_, i) => last - writers + 1 + i),
          names,
          column(0),
          column("POST"),
          column("bench:kind"),
          column("bench"),
          column(0),
          column(body),
          column(1),
        ],
      }),
      client.query({
        name: "counts",
        text: `UPDATE ${t("generation")} SET documents = documents + $2, versions = versions + $2 WHERE number = $1`,
        values: [generation, writers],
      }),
      client.query("COMMIT"),
    ];
    await Promise.all(sent);
  };
  const { perSecond } = await rate(Number(amount), 1, batch);
  await client.end();
  return { perSecond: perSecond * writers };
}

async function loadDocuments(live, count) {
  let next = 0;
  await Promise.all(
    Array.from({ length: 256 }, async () => {
      while (next < count) await live.write(post((next += 1)));
    }),
  );
}

async function readEngine() {
  const { engine, live } = await openIndex();
  const count = 20_000;
  await loadDocuments(live, count);
  const result = await rate(Number(amount), writers, (_, n) =>
    live.read(`/bench/${(n % count) + 1}`),
  );
  await live.close();
  await engine.close?.();
  return result;
}

/** Point reads of what readEngine wrote, by as many connections as the engine has for reads. */
async function readBare() {
  const clients = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const client = new pg.Client({ connectionString: url, pipeline: true });
      await client.connect();
      return client;
    }),
  );
  const { rows } = await clients[0].query(`SELECT live FROM "${schema}".idx WHERE link = $1`, [
    link,
  ]);
  const text = `SELECT time, link, version, action, kind, owner, expires, body, crc FROM "${schema}".log_${rows[0].live} WHERE link = $1 ORDER BY version DESC LIMIT 1`;
  const result = await rate(Number(amount), writers, (caller, n) =>
    clients[caller % 4].query({
      name: "read",
      text,
      values: [`/bench/${(n % 20_000) + 1}`],
      rowMode: "array",
    }),
  );
  for (const client of clients) await client.end();
  return result;
}

/** A base, and a generation built from it. */
async function bulk() {
  const { engine, storage, live } = await openIndex();
  await loadDocuments(live, Number(amount));
  const path = join(directory, "base");
  const snapshot = await live.snapshot();
  let begun = performance.now();
  const segment = await live.exportSegment({
    snapshot,
    kind: "base",
    afterMicros: 0,
    path,
    signal,
  });
  const baseMs = performance.now() - begun;
  await snapshot.release();
  const { indexId, lineage, parents } = await live.state();
  const before = process.memoryUsage().rss;
  let peak = before;
  const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 20);
  begun = performance.now();
  const built = await storage.build({
    segments: [{ ...segment, path }],
    identity: { indexId, lineage: `${lineage}-2`, parents },
    signal,
  });
  const buildMs = performance.now() - begun;
  clearInterval(watch);
  await storage.discard(built.ref);
  await live.close();
  await engine.close?.();
  return { baseMs, buildMs, growthMib: (peak - before) / 1048576 };
}

const modes = {
  "write-engine": writeEngine,
  "write-bare": writeBare,
  "read-engine": readEngine,
  "read-bare": readBare,
  bulk,
};
console.log(JSON.stringify(await modes[mode]()));
process.exit(0);

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startServer, type PostgresServer } from "../postgres-server.js";
import { findProgram, run } from "../process-tools.js";
import { connections, documentBytes, rateSeconds, timed, type Peer, type Store } from "./store.js";

/** PostgreSQL: no HTTP, and no JSON but the stored one. */
export function postgres(): Peer[] {
  if (findProgram("pg_basebackup") === undefined) {
    process.stderr.write("SKIPPED: PostgreSQL (Debian: postgresql) is not installed.\n");
    return [];
  }
  return [
    {
      name: "PostgreSQL",
      async start(directory) {
        const server = await startServer(directory);
        return server ? rows(directory, server) : { async stop() {} };
      },
    },
  ];
}

/** The documents as rows of one table. Programs are called by their paths: what Debian has in PATH starts Perl first. */
function rows(directory: string, { url, programs, stop }: PostgresServer): Store {
  const program = (name: string, ...args: string[]) => run(join(programs, name), args);
  const sql = (text: string, database = url) => program("psql", database, "-qAtc", text);
  const dump = join(directory, "documents.dump");
  let count = 0;
  let backups = 0;
  let restores = 0;
  /** Transactions per second of pgbench with prepared statements. */
  const rate = async (text: string) => {
    const file = join(directory, "pgbench.sql");
    writeFileSync(file, text);
    const clients = ["-n", "-M", "prepared", "-c", String(connections), "-j", "2"];
    const printed = await program(
      "pgbench",
      ...[...clients, "-T", String(rateSeconds), "-f", file, url],
    );
    return Number(/tps = ([\d.]+)/.exec(printed)?.[1]);
  };
  return {
    async load(documents) {
      count = documents;
      // As random as those of the other stores: what can be compressed decides how long a dump takes.
      const hashes = Math.ceil((documentBytes - 75) / 32);
      await sql("CREATE TABLE documents (link text PRIMARY KEY, body jsonb NOT NULL)");
      await sql(
        `INSERT INTO documents SELECT '/bench/d' || n, jsonb_build_object('documentSelfLink', 'd' || n, 'name', 'n' || n, 'keyValues', jsonb_build_object('pad', pad)) ` +
          `FROM generate_series(0, ${documents - 1}) n CROSS JOIN LATERAL (SELECT string_agg(md5(n || ' ' || i), '') AS pad FROM generate_series(1, ${hashes}) i) made`,
      );
      await sql("VACUUM ANALYZE documents");
    },
    reads: () =>
      rate(
        `\\set n random(0, ${count - 1})\nSELECT body FROM documents WHERE link = '/bench/d' || :n::text;\n`,
      ),
    writes: (bytes) =>
      rate(
        `\\set n random(${count}, 2000000000)\nINSERT INTO documents VALUES ('/bench/d' || :n::text, jsonb_build_object('name', :n::text, 'pad', repeat('x', ${bytes - 60}))) ON CONFLICT (link) DO UPDATE SET body = EXCLUDED.body;\n`,
      ),
    fullBackup() {
      const target = join(directory, `base-${(backups += 1)}`);
      // A checkpoint at once: by default, it takes minutes on purpose.
      return timed(() => program("pg_basebackup", "-d", url, "-D", target, "-c", "fast"));
    },
    async restoreZip() {
      const database = `restored_${(restores += 1)}`;
      await program("pg_dump", "-Fc", "-f", dump, url);
      await sql(`CREATE DATABASE ${database}`);
      const restored = new URL(url);
      restored.pathname = database;
      return timed(async () => {
        await program("pg_restore", "-d", restored.href, dump);
        const query = `SELECT count(*) FROM documents WHERE link = '/bench/d${count - 1}'`;
        const found = await sql(query, restored.href);
        if (found.trim() !== "1") throw new Error("pg_restore has not restored the last document");
      });
    },
    stop,
  };
}

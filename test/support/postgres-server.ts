import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./free-port.js";
import { beforeRemoval, temporaryDirectory } from "./temporary-directory.js";

/** A PostgreSQL server of a test. */
export interface PostgresServer {
  /** postgres://... of its superuser. */
  url: string;
  port: number;
  directory: string;
  process: ChildProcess;
  /** Ends it as a power failure would. */
  kill(): Promise<void>;
  /** Starts it again on the same directory and port. */
  start(): Promise<void>;
  /** Makes a standby the primary. */
  promote(): void;
  /** Runs SQL as its superuser, and returns the rows as text. */
  query(sql: string): string;
}

/** The directories with the programs of the servers that are installed, by release: Debian's, and that of .ci/run. */
function installed(): Map<number, string> {
  const debian = "/usr/lib/postgresql";
  const places = [
    ...(existsSync(debian) ? readdirSync(debian) : []).map((one) => join(debian, one, "bin")),
    resolve(".cache/postgres/embedded_postgres/pginstall/bin"),
  ];
  const found = new Map<number, string>();
  for (const bin of places) {
    if (!existsSync(join(bin, "initdb"))) continue;
    const [program, args] = asUser(join(bin, "postgres"), ["--version"]);
    const { stdout } = spawnSync(program, args, { encoding: "utf8", cwd: "/" });
    const [, version] = /PostgreSQL\) (\d+)/.exec(stdout ?? "") ?? [];
    if (version !== undefined) found.set(Number(version), bin);
  }
  return found;
}

const isRoot = process.getuid?.() === 0;

/** PostgreSQL refuses to run as root: its programs run as the user of the package. */
function asUser(path: string, args: string[]): [string, string[]] {
  return isRoot
    ? ["setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", path, ...args]]
    : [path, args];
}

const programs = installed();

/** Releases of the servers that tests can run with, the oldest first. */
export const postgresReleases = [...programs.keys()].sort((a, b) => a - b);

/** Whether tests with a server can run. Says so otherwise. */
export const havePostgres = (() => {
  if (programs.size === 0)
    console.warn("SKIPPED: no PostgreSQL server (Debian: postgresql) is installed.");
  return programs.size > 0;
})();

/** How a server of a test is started. */
export interface PostgresSettings {
  /** Lines of postgresql.conf. */
  settings?: readonly string[];
  /** Release. Default: the oldest that is installed. */
  release?: number;
  /** Server of which it is a standby. Default: none. */
  standbyOf?: PostgresServer;
}

/** Starts a server, which stops after the tests of the file. */
export async function startPostgres({
  settings = [],
  release = postgresReleases[0] ?? 0,
  standbyOf,
}: PostgresSettings = {}): Promise<PostgresServer> {
  const bin = programs.get(release) ?? "";
  const run = (name: string, args: string[]) => {
    const [program, all] = asUser(join(bin, name), args);
    execFileSync(program, all, { stdio: "ignore", cwd: "/" });
  };
  const parent = temporaryDirectory();
  const directory = join(parent, "postgres");
  mkdirSync(directory, { mode: 0o700 });
  if (isRoot) {
    const [uid, gid] = ["-u", "-g"].map((flag) =>
      Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" })),
    );
    chownSync(directory, uid ?? 0, gid ?? 0);
    execFileSync("chmod", ["o+x", parent]);
  }
  if (standbyOf) {
    const from = ["-h", "127.0.0.1", "-p", String(standbyOf.port), "-U", "holdfast"];
    // -R: as a standby, which names itself to its primary.
    run("pg_basebackup", ["-D", directory, ...from, "-R", "-c", "fast", "-X", "stream"]);
  } else
    run("initdb", [
      ...["-D", directory, "-U", "holdfast", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
    ]);
  const port = await freePort();
  appendFileSync(
    join(directory, "postgresql.conf"),
    [
      "listen_addresses = '127.0.0.1'",
      `port = ${port}`,
      "unix_socket_directories = ''",
      "max_connections = 200",
      "shared_buffers = 64MB",
      ...settings,
      "",
    ].join("\n"),
  );
  const start = () => launch(bin, directory);
  const isReady = () => run("pg_isready", ["-h", "127.0.0.1", "-p", String(port), "-q"]);
  const server: PostgresServer = {
    url: `postgres://holdfast@127.0.0.1:${port}/postgres`,
    port,
    directory,
    process: start(),
    async kill() {
      const ended = new Promise((done) => server.process.once("exit", done));
      // The postmaster first: its children notice, and end without a checkpoint.
      const pid = Number(readFileSync(join(directory, "postmaster.pid"), "utf8").split("\n")[0]);
      process.kill(pid, "SIGKILL");
      await ended;
    },
    async start() {
      server.process = start();
      await ready(isReady);
    },
    promote: () => run("pg_ctl", ["promote", "-D", directory, "-w"]),
    query: (sql) =>
      execFileSync(join(bin, "psql"), ["-qAt", server.url, "-c", sql], { encoding: "utf8" }).trim(),
  };
  beforeRemoval(async () => {
    if (server.process.exitCode !== null || server.process.signalCode !== null) return;
    const ended = new Promise((done) => server.process.once("exit", done));
    // "Immediate shutdown": what it keeps is removed anyway.
    server.process.kill("SIGQUIT");
    await ended;
  });
  await ready(isReady);
  return server;
}

function launch(bin: string, directory: string): ChildProcess {
  const [postgres, args] = asUser(join(bin, "postgres"), ["-D", directory]);
  return spawn(postgres, args, { stdio: "ignore", cwd: "/" });
}

async function ready(isReady: () => void): Promise<void> {
  for (let left = 300; ; left -= 1) {
    try {
      isReady();
      return;
    } catch (error) {
      if (left === 0) throw error;
      await sleep(50);
    }
  }
}

const pooler = "/usr/sbin/pgbouncer";

/** Whether PgBouncer is installed. Says so otherwise. */
export const havePooler = (() => {
  if (!existsSync(pooler)) console.warn("SKIPPED: PgBouncer (Debian: pgbouncer) is not installed.");
  return existsSync(pooler);
})();

/** Starts PgBouncer in transaction mode before a server. Returns the URL of the server through it. */
export async function startPooler(server: PostgresServer, poolSize = 5): Promise<string> {
  const directory = temporaryDirectory();
  const port = await freePort();
  const config = join(directory, "pgbouncer.ini");
  writeFileSync(
    config,
    [
      "[databases]",
      `* = host=127.0.0.1 port=${server.port} user=holdfast`,
      "[pgbouncer]",
      "listen_addr = 127.0.0.1",
      `listen_port = ${port}`,
      "unix_socket_dir =",
      "auth_type = any",
      "pool_mode = transaction",
      `default_pool_size = ${poolSize}`,
      "ignore_startup_parameters = extra_float_digits",
      "",
    ].join("\n"),
  );
  if (isRoot) execFileSync("chmod", ["-R", "a+rX", directory]);
  const [program, args] = asUser(pooler, ["-q", config]);
  const child = spawn(program, args, { stdio: "ignore", cwd: "/" });
  beforeRemoval(async () => {
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGKILL");
    await ended;
  });
  await ready(() => {
    execFileSync("bash", ["-c", `</dev/tcp/127.0.0.1/${port}`], { stdio: "ignore" });
  });
  return `postgres://holdfast@127.0.0.1:${port}/postgres`;
}

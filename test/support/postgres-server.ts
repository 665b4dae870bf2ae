import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
} from "node:fs";
import { join } from "node:path";
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
}

/** The directory with the programs of a server; undefined if there is none. */
function programs(): string | undefined {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  return versions
    .map((one) => join(root, one, "bin"))
    .find((bin) => existsSync(join(bin, "initdb")));
}

const bin = programs();
const isRoot = process.getuid?.() === 0;

/** Whether tests with a server can run. Says so otherwise. */
export const havePostgres = (() => {
  if (bin === undefined)
    console.warn("SKIPPED: no PostgreSQL server (Debian: postgresql) is installed.");
  return bin !== undefined;
})();

/** PostgreSQL refuses to run as root: its programs run as the user of the package. */
function asUser(program: string, args: string[]): [string, string[]] {
  const path = join(bin ?? "", program);
  return isRoot
    ? ["setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", path, ...args]]
    : [path, args];
}

/** Starts a server, which stops after the tests of the file. `settings` are lines of postgresql.conf. */
export async function startPostgres(settings: readonly string[] = []): Promise<PostgresServer> {
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
  const [initdb, initArgs] = asUser("initdb", [
    ...["-D", directory, "-U", "holdfast", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
  ]);
  execFileSync(initdb, initArgs, { stdio: "ignore", cwd: "/" });
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
  const server: PostgresServer = {
    url: `postgres://holdfast@127.0.0.1:${port}/postgres`,
    port,
    directory,
    process: launch(directory),
    async kill() {
      const ended = new Promise((resolve) => server.process.once("exit", resolve));
      // The postmaster first: its children notice, and end without a checkpoint.
      const pid = Number(readFileSync(join(directory, "postmaster.pid"), "utf8").split("\n")[0]);
      process.kill(pid, "SIGKILL");
      await ended;
    },
    async start() {
      server.process = launch(directory);
      await ready(port);
    },
  };
  beforeRemoval(async () => {
    if (server.process.exitCode !== null || server.process.signalCode !== null) return;
    const ended = new Promise((resolve) => server.process.once("exit", resolve));
    // "Immediate shutdown": what it keeps is removed anyway.
    server.process.kill("SIGQUIT");
    await ended;
  });
  await ready(port);
  return server;
}

function launch(directory: string): ChildProcess {
  const [postgres, args] = asUser("postgres", ["-D", directory]);
  return spawn(postgres, args, { stdio: "ignore", cwd: "/" });
}

async function ready(port: number): Promise<void> {
  const [isReady, args] = asUser("pg_isready", ["-h", "127.0.0.1", "-p", String(port), "-q"]);
  for (let left = 300; ; left -= 1) {
    try {
      execFileSync(isReady, args, { stdio: "ignore", cwd: "/" });
      return;
    } catch (error) {
      if (left === 0) throw error;
      await sleep(50);
    }
  }
}

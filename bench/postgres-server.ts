import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, chownSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./local-store.js";

export interface PostgresServer {
  url: string;
  /** Directory of its programs. */
  programs: string;
  stop(): Promise<void>;
}

/** Debian's server on loopback; undefined, with a message, if there is none. */
export async function startServer(directory: string): Promise<PostgresServer | undefined> {
  const base = "/usr/lib/postgresql";
  const [release] = existsSync(base) ? readdirSync(base) : [];
  if (release === undefined) {
    process.stderr.write("SKIPPED: no PostgreSQL server (Debian: postgresql) is installed.\n");
    return undefined;
  }
  const asUser = (program: string, args: string[]): [string, string[]] => {
    const path = join(base, release, "bin", program);
    return process.getuid?.() === 0
      ? ["setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", path, ...args]]
      : [path, args];
  };
  mkdirSync(directory, { mode: 0o700 });
  if (process.getuid?.() === 0) {
    const id = (flag: string) =>
      Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
    chownSync(directory, id("-u"), id("-g"));
    execFileSync("chmod", ["o+x", join(directory, "..")]);
  }
  const data = join(directory, "data");
  const [initdb, initArgs] = asUser("initdb", [
    ...["-D", data, "-U", "holdfast", "-A", "trust", "-E", "UTF8", "--locale=C"],
  ]);
  execFileSync(initdb, initArgs, { stdio: "ignore", cwd: "/" });
  const port = await freePort();
  appendFileSync(
    join(data, "postgresql.conf"),
    `listen_addresses = '127.0.0.1'\nport = ${port}\nunix_socket_directories = ''\nmax_wal_size = 4GB\n`,
  );
  const [postgres, args] = asUser("postgres", ["-D", data]);
  const child = spawn(postgres, args, { stdio: "ignore", cwd: "/" });
  process.once("exit", () => child.kill("SIGQUIT"));
  const [isReady, readyArgs] = asUser("pg_isready", ["-h", "127.0.0.1", "-p", String(port), "-q"]);
  for (let left = 100; ; left -= 1) {
    try {
      execFileSync(isReady, readyArgs, { stdio: "ignore", cwd: "/" });
      break;
    } catch (error) {
      if (left === 0) throw error;
      await sleep(100);
    }
  }
  return {
    programs: join(base, release, "bin"),
    url: `postgres://holdfast@127.0.0.1:${port}/postgres`,
    async stop() {
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGQUIT");
      await ended;
    },
  };
}

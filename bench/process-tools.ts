import { execFile, fork, spawn, type ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const here = import.meta.dirname ?? __dirname;

/** Path of a program in PATH, or in the directories to look in before. */
export const findProgram = (name: string, ...before: string[]): string | undefined =>
  [...before, ...(process.env["PATH"] ?? "").split(delimiter)]
    .map((directory) => join(directory, name))
    .find((path) => existsSync(path));

/** Runs a program to its end; what it printed. */
export async function run(
  program: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<string> {
  const options = { cwd: "/", env: { ...process.env, ...env } };
  return (await promisify(execFile)(program, args, options)).stdout;
}

/** A run that fails half-way must not leave its servers behind. */
function endWithRun(child: ChildProcess): void {
  const end = () => child.kill("SIGKILL");
  process.once("exit", end);
  child.once("exit", () => process.off("exit", end));
}

/** Starts a server that is no script of ours. It ends by SIGTERM. */
export function startProgram(
  program: string,
  args: string[],
  env: Record<string, string> = {},
): { stop(): Promise<void> } {
  const child = spawn(program, args, { stdio: "ignore", env: { ...process.env, ...env } });
  endWithRun(child);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    stop() {
      child.kill();
      return ended;
    },
  };
}

export interface Served {
  child: ChildProcess;
  port: number;
  grpcPort: number;
  close(): Promise<void>;
}

/** Starts one of the servers beside this file and waits for its port. */
export async function serve(script: string, ...args: string[]): Promise<Served> {
  const child = fork(join(here, script), args, {
    execArgv: script.endsWith(".ts") ? ["--import", "tsx"] : [],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  endWithRun(child);
  const { port, grpcPort = 0 } = (await nextMessage(child)) as { port: number; grpcPort?: number };
  const closed = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    child,
    port,
    grpcPort,
    async close() {
      child.send("close");
      await closed;
    },
  };
}

export function nextMessage(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once("message", resolve);
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
}

export interface LoadResult {
  count: number;
  perSecond: number;
  p50: number;
  p99: number;
  max: number;
  next: number;
}

export async function load(
  port: number,
  options: {
    count?: number;
    durationMs?: number;
    connections?: number;
    bytes: number;
    first?: number;
    pauseMs?: number;
    rate?: number;
    /** Documents that are there, which it gets in place of posting others. */
    there?: number;
    /** Path of the documents. Default: /bench. */
    path?: string;
    /** The JSON gateway of etcd in place of documents over HTTP. */
    dialect?: "etcd";
  },
): Promise<LoadResult> {
  const {
    count = 0,
    durationMs = 0,
    connections = 32,
    bytes,
    first = 0,
    pauseMs = 0,
    rate = 0,
    there = 0,
    path = "/bench",
    dialect = "",
  } = options;
  const args = [
    ...[port, count, durationMs, connections, bytes, first, pauseMs, rate, there].map(String),
    path,
    dialect,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, [join(here, "load.mjs"), ...args]);
  return JSON.parse(stdout) as LoadResult;
}

export interface StreamResult {
  ms: number;
  /** Until the first chunk. */
  firstMs: number;
  bytes: number;
  count: number;
}

export async function stream(
  work: "down" | "up" | "unary" | "http",
  settings: object,
): Promise<StreamResult> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(here, "stream-load.mjs"),
    work,
    JSON.stringify(settings),
  ]);
  return JSON.parse(stdout) as StreamResult;
}

const mib = (kib: number) => kib / 1024;

function residentKiB(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    try {
      return readFileSync(`/proc/${pid}/task/${task}/children`, "utf8")
        .trim()
        .split(" ")
        .filter(Boolean)
        .map(Number);
    } catch {
      return [];
    }
  });
}

export interface Memory {
  /** MiB of the host before, and by how much it grew at the most. */
  idle: number;
  growth: number;
  /** The largest of its child processes. */
  child: number;
}

/** Watches the resident memory of a process and its children while the work runs. */
export async function watchMemory<T>(
  pid: number,
  work: () => Promise<T>,
): Promise<{ result: T; memory: Memory }> {
  const idle = residentKiB(pid);
  let peak = idle;
  let child = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, residentKiB(pid));
    for (const each of childrenOf(pid)) child = Math.max(child, residentKiB(each));
  }, 10);
  try {
    return {
      result: await work(),
      memory: {
        idle: mib(idle),
        growth: mib(Math.max(peak, residentKiB(pid)) - idle),
        child: mib(child),
      },
    };
  } finally {
    clearInterval(timer);
  }
}

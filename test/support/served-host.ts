import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { once } from "node:events";
import { resolve } from "node:path";
import { temporaryDirectory } from "./temporary-directory.js";

const program = resolve(process.cwd(), "dist/src/cli/main.js");

/** `holdfast serve` in a child process, from the build. */
export interface ServedHost {
  url: string;
  grpc: string;
  /** The standard output until the host was ready. */
  greeting: string;
  process: ChildProcess;
  /** The standard error so far. */
  log(): string;
  /** Sends a signal; resolves to the exit code, or to the signal that ended the process. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals>;
  ended: Promise<number | NodeJS.Signals>;
}

export interface Ended {
  code: number | NodeJS.Signals;
  output: string;
  log: string;
}

let own: string | undefined;
const running = new Set<ChildProcess>();
afterEach(async () => {
  for (const child of running) {
    // An orderly stop removes the files of in-memory indexes; a hanging process is killed.
    const closed = once(child, "close");
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await closed;
    clearTimeout(timer);
  }
});

export interface ServeOptions {
  env?: Record<string, string>;
  cwd?: string;
  /** Runs the command by another one, for example unshare. */
  wrapper?: string[];
}

function launch(args: string[], { env = {}, cwd, wrapper = [] }: ServeOptions) {
  if (!existsSync(program)) throw new Error(`${program} is missing. Run npm run build.`);
  const [command = "", ...rest] = [...wrapper, process.execPath, program, ...args];
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !name.startsWith("HOLDFAST_") && name !== "NODE_OPTIONS",
    ),
  );
  // Does not use the profiles and cached checks of the current user.
  own ??= temporaryDirectory();
  const child = spawn(command, rest, {
    env: { ...inherited, XDG_CONFIG_HOME: own, XDG_STATE_HOME: own, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(cwd !== undefined && { cwd }),
  });
  running.add(child);
  const captured = { output: "", log: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (captured.output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (captured.log += text));
  const ended = new Promise<number | NodeJS.Signals>((done, fail) => {
    child.on("error", fail);
    child.on("close", (code, signal) => {
      running.delete(child);
      done(code ?? signal ?? "SIGKILL");
    });
  });
  return { child, captured, ended };
}

/** Runs a command that is expected to exit. */
export async function runToEnd(args: string[], options: ServeOptions = {}): Promise<Ended> {
  const { captured, ended } = launch(args, options);
  const code = await ended;
  return { code, ...captured };
}

/** Starts a host on free ports, unless the arguments give others; resolves after its greeting. */
export async function serve(args: string[], options: ServeOptions = {}): Promise<ServedHost> {
  const ports = ["http", "grpc"]
    .filter((port) => !args.includes(`--${port}-port`))
    .flatMap((port) => [`--${port}-port`, "0"]);
  const { child, captured, ended } = launch(["serve", ...args, ...ports], options);
  await new Promise<void>((done, fail) => {
    child.stdout?.on("data", () => {
      if (/Try it:\n.*\n/.test(captured.output)) done();
    });
    ended.then((code) => fail(new Error(`The host ended with ${code}: ${captured.log}`)), fail);
  });
  return {
    url: /HTTP +(\S+)/.exec(captured.output)?.[1] ?? "",
    grpc: /gRPC +(\S+)/.exec(captured.output)?.[1] ?? "",
    greeting: captured.output,
    process: child,
    log: () => captured.log,
    ended,
    stop(signal = "SIGTERM") {
      child.kill(signal);
      return ended;
    },
  };
}

export interface Answer {
  status: number;
  body: Record<string, unknown>;
}

/** Sends a JSON request; the body of the response is {} if empty. */
export async function ask(
  url: string,
  method = "GET",
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>),
  };
}

/** A request of the management dialect of Xenon. */
export const managementRequest = (kind: "Backup" | "Restore", fields: object) => ({
  kind: `com:vmware:xenon:services:common:ServiceHostManagementService:${kind}Request`,
  ...fields,
});

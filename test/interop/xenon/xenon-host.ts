import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../support/free-port.js";
import { haveTools, run } from "../../support/tools.js";

const home = process.env["XENON_HOME"] ?? "";

/** A test with a real Xenon; reports a skipped test if Java or the build is missing. */
export function xenonTest(what: string): typeof test.skip {
  if (!haveTools(what, "java")) return test.skip;
  if (existsSync(join(home, "dist", "xenon-peer.jar"))) return test;
  console.warn(
    `SKIPPED: ${what} needs a build of Xenon; set XENON_HOME to the directory that has dist/xenon-peer.jar${home === "" ? "" : `; ${home} does not`}.`,
  );
  return test.skip;
}

/** A real Xenon in its own sandbox. */
export interface XenonHost {
  url: string;
  port: number;
  id: string;
  /** Stops it orderly and starts it with the same sandbox, port and id. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Modules that its libraries access by reflection. */
const opened = [
  ...[
    "java.lang",
    "java.lang.reflect",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "java.net",
    "java.nio",
    "java.nio.file",
  ],
  ...[
    "java.io",
    "java.time",
    "java.math",
    "java.text",
    "sun.nio.ch",
    "sun.nio.fs",
    "jdk.internal.misc",
    "jdk.internal.ref",
  ],
];

const stopped: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const stop of stopped.splice(0)) await stop();
});

/** Whether this Java can compile the source beside the tests; reports a skipped test otherwise. */
export async function canCompileJava(what: string): Promise<boolean> {
  const { stdout } = await run("java", ["--list-modules"]);
  const can = stdout.includes("jdk.compiler@");
  if (!can) console.warn(`SKIPPED: ${what} needs a JDK: this Java has no compiler.`);
  return can;
}

/** The main class: Xenon with its example services, or with the factory of migration tasks as well. */
export type XenonClass = "peer.Peer" | "MigratingPeer";

/** Starts a Xenon on a free loopback port; resolves when its factories are available. It is stopped after the tests of the file. */
export async function startXenon(
  id: string,
  started: XenonClass = "peer.Peer",
): Promise<XenonHost> {
  const sandbox = mkdtempSync(join(tmpdir(), "holdfast-xenon-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  const stop = async () => {
    const running = child;
    child = undefined;
    if (running) await end(running);
  };
  const start = async () => {
    child = launch(port, sandbox, id, started);
    await untilAvailable(url, child);
  };
  stopped.push(async () => {
    await stop();
    rmSync(sandbox, { recursive: true, force: true });
  });
  await start();
  return {
    url,
    port,
    id,
    stop,
    async restart() {
      await stop();
      await start();
    },
  };
}

function launch(port: number, sandbox: string, id: string, started: XenonClass): ChildProcess {
  const args = [
    "-Xmx1500m",
    "-Dio.netty.tryReflectionSetAccessible=true",
    // Xenon leaves unpacked files in its temporary directory.
    `-Djava.io.tmpdir=${sandbox}`,
    ...opened.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
    ...["-cp", `${join(home, "dist", "xenon-peer.jar")}:${join(home, "dist", "lib", "*")}`],
    // Java compiles a source file in memory and starts it.
    started === "peer.Peer" ? started : resolve("test/interop/xenon", `${started}.java`),
    ...[`--port=${port}`, `--sandbox=${sandbox}`, "--bindAddress=127.0.0.1", `--id=${id}`],
  ];
  // Xenon exposes its environment to clients, so it is nearly empty.
  const child = spawn("java", args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], LANG: "C.UTF-8" },
  });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("close", () => process.removeListener("exit", kill));
  return child;
}

async function untilAvailable(url: string, child: ChildProcess): Promise<void> {
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream
      ?.setEncoding("utf8")
      .on("data", (text: string) => (output = (output + text).slice(-4000)));
  let failure = "";
  child.once("error", (error) => (failure = String(error)));
  const deadline = performance.now() + 90_000;
  for (const path of [
    "/core/examples",
    "/core/in-memory-examples",
    "/core/indexed-metadata-examples",
  ]) {
    for (;;) {
      const status = await fetch(`${url}${path}/available`).then(
        async (answer) => (await answer.text(), answer.status),
        () => 0,
      );
      if (status === 200) break;
      if (failure !== "" || child.exitCode !== null || performance.now() > deadline)
        throw new Error(`Xenon did not start: ${failure} ${output}`);
      // The interval of the attempts: Xenon reports no end of its start.
      await sleep(100);
    }
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, "close");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
  await closed;
  clearTimeout(timer);
}

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { join, resolve } from "node:path";
import { eventually } from "../support/eventually.js";
import { runToEnd, serve, type ServedHost } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { haveTools } from "../support/tools.js";

const program = resolve("dist/src/cli/main.js");

/** A server that never responds, so that a backup to it runs until it is cancelled. */
let store: Server;
let destination: string;
beforeEach(async () => {
  store = createServer((request) => request.resume()).listen(0, "127.0.0.1");
  await once(store, "listening");
  destination = `http://127.0.0.1:${(store.address() as { port: number }).port}/backup.zip`;
});
afterEach(() => {
  store.closeAllConnections();
  store.close();
});

async function startHost(): Promise<ServedHost> {
  const host = await serve(["--data-dir", join(temporaryDirectory(), "data")]);
  expect(
    (
      await runToEnd([
        "documents",
        "put",
        "/core/examples/ada",
        '{"name":"Ada"}',
        "--address",
        host.grpc,
      ])
    ).code,
  ).toBe(0);
  return host;
}

interface Started {
  child: ChildProcess;
  output(): string;
  ended: Promise<number | null>;
  until(pattern: RegExp): Promise<void>;
}

function start(command: string, args: string[], env: Record<string, string> = {}): Started {
  const child = spawn(command, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (part: string) => (text += part));
  child.stdin.on("error", () => {});
  const ended = new Promise<number | null>((done) => child.on("close", (code) => done(code)));
  return {
    child,
    output: () => text,
    ended,
    async until(pattern) {
      await eventually(
        () => {
          if (pattern.test(text)) return true;
          if (child.exitCode !== null)
            throw new Error(`Exited without ${String(pattern)}: ${text}`);
          return false;
        },
        { state: () => text },
      );
    },
  };
}

const running = async (host: ServedHost) =>
  (await runToEnd(["operations", "list", "--running", "--address", host.grpc])).output;
const backupTo = (host: ServedHost) => [program, "backup", destination, "--address", host.grpc];

test("Ctrl-C cancels the operation on the host and prints the resulting state", async () => {
  const host = await startHost();
  const backup = start(process.execPath, backupTo(host));
  await backup.until(/\w+/);
  await eventually(async () => (await running(host)).includes("operations/"));
  backup.child.kill("SIGINT");
  expect(await backup.ended).toBe(130);
  expect(backup.output()).toMatch(
    /Cancelling operations\/\S+\..*\n(.*\n)*holdfast backup: Cancelled\. No new backup was created at .*run the same command again\./,
  );
  expect(await running(host)).toContain("No operations.");
  expect((await runToEnd(["operations", "list", "--address", host.grpc])).output).toMatch(
    /operations\/\S+ +backup +cancelled /,
  );
}, 60_000);

test("an operation continues after its terminal closes, and can be followed and cancelled", async () => {
  const host = await startHost();
  const backup = start(process.execPath, backupTo(host));
  await backup.until(/\w+/);
  await eventually(async () => (await running(host)).includes("operations/"));
  backup.child.kill("SIGHUP");
  expect(await backup.ended).toBe(129);
  expect(backup.output()).not.toMatch(/Error|at .*\.js/);
  const name = /operations\/\S+/.exec(await running(host))?.[0] ?? "";
  const watch = start(process.execPath, [
    program,
    "operations",
    "watch",
    name,
    "--address",
    host.grpc,
  ]);
  await watch.until(/\w+/);
  expect((await runToEnd(["operations", "cancel", name, "--address", host.grpc])).output).toContain(
    `${name} ended`,
  );
  expect(await watch.ended).toBe(70);
}, 60_000);

test("a closed pipe does not crash a command", async () => {
  const host = await startHost();
  const many = start("sh", [
    "-c",
    `i=0; while [ $i -lt 20000 ]; do echo '{"documentSelfLink":"n'$i'","name":"a longer name than most of them have"}'; i=$((i+1)); done | ${process.execPath} ${program} import - --factory /core/examples --address ${host.grpc} --quiet`,
  ]);
  expect(await many.ended).toBe(0);
  const cut = start("sh", [
    "-c",
    `${process.execPath} ${program} export --address ${host.grpc} | head -c 10; echo " $?"`,
  ]);
  await cut.ended;
  expect(cut.output()).toMatch(/^\{"\w+/);
  expect(cut.output()).not.toMatch(/EPIPE|\.js:\d+/);
}, 60_000);

test("after a lost connection the command prints how to follow the operation", async () => {
  const host = await startHost();
  const backup = start(process.execPath, backupTo(host));
  await backup.until(/\w+/);
  await eventually(async () => (await running(host)).includes("operations/"));
  await host.stop("SIGKILL");
  expect(await backup.ended).toBe(69);
  expect(backup.output()).toMatch(
    /Lost the connection to the host while operations\/\S+ was running.*holdfast operations watch operations\//,
  );
}, 60_000);

(haveTools("prompts on a terminal", "script") ? describe : describe.skip)("on a terminal", () => {
  const onTerminal = (host: ServedHost, command: string) =>
    start(
      "script",
      ["-qec", `${process.execPath} ${program} ${command} --address ${host.grpc}`, "/dev/null"],
      { TERM: "xterm", SHELL: "/bin/sh" },
    );

  test("a restore prompts, and changes nothing unless confirmed", async () => {
    const host = await startHost();
    const backups = join(temporaryDirectory(), "backups");
    expect((await runToEnd(["backup", backups, "--address", host.grpc])).code).toBe(0);
    const no = onTerminal(host, `restore ${backups}`);
    await no.until(/Restore\? \[y\/N\]/);
    no.child.stdin?.write("\r");
    expect(await no.ended).toBe(130);
    expect(no.output()).toContain("Nothing was changed.");
    const nothing = onTerminal(host, `restore ${backups}`);
    await nothing.until(/Restore\? \[y\/N\]/);
    nothing.child.stdin?.write("\u0004");
    expect(await nothing.ended).toBe(130);
    expect(nothing.output()).toContain("Nothing was changed.");
    const yes = onTerminal(host, `restore ${backups}`);
    await yes.until(/Restore\? \[y\/N\]/);
    yes.child.stdin?.write("y\r");
    expect(await yes.ended).toBe(0);
    expect(yes.output()).toContain("Restored 1 document");
    const interrupted = onTerminal(host, `restore ${backups}`);
    await interrupted.until(/Restore\? \[y\/N\]/);
    interrupted.child.stdin?.write("\u0003");
    expect(await interrupted.ended).toBe(130);
    expect(interrupted.output()).toContain("Nothing was restored");
  }, 60_000);

  test("a backup shows a progress bar, and Ctrl-C cancels it", async () => {
    const host = await startHost();
    const backup = onTerminal(host, `backup ${destination}`);
    await backup.until(/\w+ +(\d+%)? +\|[^|]*\|/);
    backup.child.stdin?.write("\u0003");
    expect(await backup.ended).toBe(130);
    expect(backup.output()).toContain("run the same command again");
    expect(await running(host)).toContain("No operations.");
  }, 60_000);
});

import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { runToEnd, serve, type Ended } from "../support/served-host.js";
import { haveTools, run } from "../support/tools.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

/** Expects that a command does not fail with an internal error, in any environment. */
function expectExplained({ code, log }: Ended): void {
  expect(code).not.toBe(70);
  expect(log).not.toMatch(/Internal error|^\s+at /m);
}

function openUp(path: string): void {
  const isDirectory = statSync(path).isDirectory();
  chmodSync(path, isDirectory ? 0o755 : 0o644);
  if (isDirectory) for (const name of readdirSync(path)) openUp(join(path, name));
}

async function backup(root: string): Promise<string> {
  const host = await serve(["--data-dir", join(root, "data")]);
  await fetch(`${host.url}/core/examples`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"name":"a"}',
  });
  const made = await runToEnd(["backup", join(root, "backups"), "--address", host.grpc, "--quiet"]);
  expect(made.code).toBe(0);
  await host.stop();
  return join(root, "backups");
}

test("a missing temporary directory is reported, and only by commands that need one", async () => {
  const root = temporaryDirectory();
  const backups = await backup(root);
  const env = { TMPDIR: join(root, "none") };
  for (const verb of ["verify", "list", "export"])
    expectExplained(await runToEnd([verb, backups], { env }));
  expect((await runToEnd(["list", backups], { env })).code).toBe(0);
});

test("runs for a user without a passwd entry and without HOME", async () => {
  const program = resolve("dist/src/cli/main.js");
  const user = [
    "setpriv",
    "--reuid=123456",
    "--regid=0",
    "--clear-groups",
    "env",
    "-u",
    "HOME",
    "-u",
    "XDG_CONFIG_HOME",
    "-u",
    "XDG_STATE_HOME",
  ];
  if (process.getuid?.() !== 0 || !haveTools("the command for a user without a name", "setpriv"))
    return;
  if ((await run(user[0] ?? "", [...user.slice(1), "test", "-r", program])).code !== 0) {
    console.warn(
      "SKIPPED: the command for a user without a name needs a checkout that others may read.",
    );
    return;
  }
  const root = temporaryDirectory();
  const backups = await backup(root);
  openUp(root);
  for (const verb of ["verify", "list", "export"])
    expect(await runToEnd([verb, backups], { wrapper: user })).toMatchObject({ code: 0 });
});

test("reports an import file that is unreadable or a directory", async () => {
  const root = temporaryDirectory();
  const host = await serve(["--data-dir", join(root, "data")]);
  mkdirSync(join(root, "directory"));
  writeFileSync(join(root, "loop"), "");
  for (const name of ["missing.ndjson", "directory", join("loop", "below")]) {
    const ended = await runToEnd([
      "import",
      join(root, name),
      "--factory",
      "/core/examples",
      "--address",
      host.grpc,
    ]);
    expectExplained(ended);
    expect(ended.code).not.toBe(0);
    expect(ended.log).toContain(name);
    expect(ended.log).not.toContain("gRPC port");
  }
});

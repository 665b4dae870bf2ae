import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { eventually } from "../support/eventually.js";
import {
  ask,
  managementRequest,
  runToEnd,
  serve,
  type ServedHost,
} from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const linesOf = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

async function backUp(host: ServedHost, destination: string, more: object = {}): Promise<number> {
  const { status } = await ask(
    `${host.url}/core/management`,
    "PATCH",
    managementRequest("Backup", { destination, backupType: "DIRECTORY", ...more }),
  );
  return status;
}

test("without a terminal logs JSON: one line at the start, per operation and at the end", async () => {
  const root = temporaryDirectory();
  const host = await serve(["--data-dir", join(root, "data")]);
  await ask(`${host.url}/core/examples`, "POST", { name: "a", documentSelfLink: "a" });
  expect(await backUp(host, `file:${join(root, "good")}`)).toBe(200);
  const { body } = await ask(`${host.url}/v1/backups:verify`, "POST", {
    uri: `file:${join(root, "good")}`,
  });
  await ask(`${host.url}/v1/${String(body["name"])}:wait`, "POST", {});
  mkdirSync(join(root, "bad", ".holdfast-lease"), { recursive: true });
  expect(await backUp(host, `file:${join(root, "bad")}`)).not.toBe(200);
  // An unreachable server with a secret in its URI.
  expect(
    await backUp(host, "http://user:hunter2@127.0.0.1:9/b?token=hunter3", {
      backupType: "STREAM",
      bearer: "hunter4",
    }),
  ).not.toBe(200);
  expect(await host.stop()).toBe(0);
  const lines = linesOf(host.log());
  for (const line of lines)
    expect(line).toMatchObject({
      level: expect.any(Number) as unknown,
      time: expect.any(Number) as unknown,
      pid: host.process.pid,
      hostname: expect.any(String) as unknown,
      msg: expect.any(String) as unknown,
    });
  expect(host.log()).not.toMatch(/hunter/);
  expect(lines.filter(({ msg }) => msg === "started")).toEqual([
    expect.objectContaining({
      version: "0.1.0",
      http: host.url,
      grpc: host.grpc,
      dataDirectory: join(root, "data"),
    }),
  ]);
  expect(lines.at(-1)?.["msg"]).toBe("stopped");
  const of = (msg: string) => lines.filter((line) => line["msg"] === msg);
  expect(of("backup done")).toEqual([
    expect.objectContaining({
      kind: "backup",
      outcome: "done",
      indexLink: "/core/document-index",
      target: expect.stringMatching(/^file:.*good$/) as unknown,
      operation: expect.stringMatching(/^operations\//) as unknown,
      records: 1,
    }),
  ]);
  expect(Number(of("backup done")[0]?.["bytes"])).toBeGreaterThan(1000);
  expect(Number(of("backup done")[0]?.["seconds"])).toBeGreaterThan(0);
  expect(of("verify-backup done")).toEqual([
    expect.objectContaining({ outcome: "done", records: 1 }),
  ]);
  expect(of("backup failed").find(({ target }) => String(target).endsWith("bad"))).toMatchObject({
    level: 40,
    outcome: "failed",
    reason: expect.stringMatching(/^[A-Z_]+$/) as unknown,
    problem: expect.any(String) as unknown,
  });
});

test("logs text on request, and flushes all lines before the process ends", async () => {
  const root = temporaryDirectory();
  const host = await serve(["--data-dir", join(root, "data"), "--log-format", "pretty"]);
  await backUp(host, `file:${join(root, "good")}`);
  await host.stop();
  expect(host.log()).toMatch(
    /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\] INFO \(\d+\): started\n {4}version: "0\.1\.0"/,
  );
  expect(host.log()).toMatch(/INFO \(\d+\): backup done\n/);
  expect(host.log()).toMatch(/INFO \(\d+\): stopped\n$/);
  expect(host.log()).not.toContain("\u001b[");
});

test("logs coloured text to a terminal unless JSON is requested", async () => {
  if (spawnSync("sh", ["-c", "command -v script"]).status !== 0) {
    console.warn("SKIPPED: script is not installed.");
    return;
  }
  const seen = async (args: string) => {
    const file = join(temporaryDirectory(), "typescript");
    const command = `exec ${process.execPath} ${resolve("dist/src/cli/main.js")} serve --http-port 0 --grpc-port 0 --data-dir ${file}-data ${args}`;
    const child = spawn("script", ["-qefc", command, file], {
      stdio: "ignore",
      env: { ...process.env, NO_COLOR: "" },
    });
    const ended = once(child, "close");
    const text = () => (existsSync(file) ? readFileSync(file, "utf8") : "");
    await eventually(() => text().includes("Try it"), { intervalMs: 50, state: text });
    child.kill("SIGTERM");
    await ended;
    return text();
  };
  expect(await seen("")).toMatch(/\u001b\[32mINFO\u001b\[39m .*started/);
  expect(await seen("--log-format json")).toMatch(/\{"level":30,.*"msg":"started"\}/);
});

test("log-level limits the output; an invalid format is rejected", async () => {
  const root = temporaryDirectory();
  const quiet = await serve(["--data-dir", join(root, "data"), "--log-level", "warn"]);
  await quiet.stop();
  expect(quiet.log()).toBe("");
  const refused = await runToEnd(["serve", "--log-format", "xml"]);
  expect(refused).toMatchObject({
    code: 78,
    log: 'holdfast: log-format must be one of auto, json, pretty, not "xml".\n',
  });
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ask, runToEnd, serve } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const factory = "/core/examples";

/** Two Holdfast hosts: documents are imported from the first one over the dialect. */
async function hosts() {
  const root = temporaryDirectory();
  const source = await serve(["--data-dir", join(root, "source"), "--id", "source"]);
  const target = await serve(["--data-dir", join(root, "target"), "--id", "target"]);
  const args = [
    "import",
    "--from-xenon",
    source.url,
    "--to",
    target.url,
    "--factory",
    factory,
    "--work-dir",
    join(root, "work"),
    "--page-size",
    "20",
  ];
  const copy = (...more: string[]) => runToEnd([...args, ...more]);
  const begin = (...more: string[]) =>
    spawn(process.execPath, [resolve("dist/src/cli/main.js"), ...args, ...more], {
      stdio: ["ignore", "ignore", "pipe"],
    });
  return { source: source.url, target: target.url, copy, begin };
}

async function load(url: string): Promise<void> {
  for (let i = 0; i < 60; i += 1) {
    const link = `${url}${factory}/n-${i}`;
    await ask(url + factory, "POST", {
      documentSelfLink: `n-${i}`,
      name: `name ${i}`,
      counter: i,
      keyValues: { ключ: "€ 🙂" },
    });
    if (i % 2 === 0) await ask(link, "PATCH", { name: `patched ${i}` });
    if (i % 10 === 0) await ask(link, "DELETE");
  }
}

test("imports every version unchanged; repeating the command imports only later changes", async () => {
  const { source, target, copy } = await hosts();
  await load(source);
  const first = await copy("--all-versions");
  expect(first).toMatchObject({
    code: 0,
    output: expect.stringContaining(`${factory}: identical on both sides`),
  });
  expect(first.output).toContain("Copied 54 documents with 96 versions");
  for (const link of ["n-1", "n-2"])
    expect((await ask(`${target}${factory}/${link}`)).body).toEqual(
      (await ask(`${source}${factory}/${link}`)).body,
    );
  const past = `/core/document-index?documentSelfLink=${factory}/n-10&documentVersion=1`;
  expect((await ask(target + past)).body).toEqual((await ask(source + past)).body);
  expect((await ask(`${target}${factory}/n-10`)).status).toBe(404);

  await ask(`${source}${factory}/n-1`, "PATCH", { name: "later" });
  await ask(`${source}${factory}/n-3`, "DELETE");
  for (const turn of ["changed", "unchanged"]) {
    expect({ turn, ...(await copy("--all-versions")) }).toMatchObject({
      turn,
      code: 0,
      output: expect.stringContaining("identical on both sides"),
    });
    expect((await ask(`${target}${factory}/n-1`)).body).toMatchObject({
      name: "later",
      documentOwner: "source",
      documentVersion: 1,
    });
    expect((await ask(`${target}${factory}/n-3`)).status).toBe(404);
  }
}, 60_000);

test("resumes with the same command after an interruption, while the target restores", async () => {
  const { source, target, copy, begin } = await hosts();
  await load(source);
  for (const signal of ["SIGKILL", "SIGINT"] as const) {
    const cut = begin("--all-versions");
    let logged = "";
    await new Promise<void>((resolve) =>
      cut.stderr?.on(
        "data",
        (text: Buffer) => /^restoring/m.test((logged += text.toString())) && resolve(),
      ),
    );
    cut.kill(signal);
    await once(cut, "close");
    // The target resumes the requested restore, or has not received a request yet.
    // The client has gone, so nothing tells which of the two: this is time for either.
    await sleep(500);
    expect(await copy("--all-versions")).toMatchObject({
      code: 0,
      output: expect.stringContaining("identical on both sides"),
    });
    await ask(`${source}${factory}/n-1`, "PATCH", { name: signal });
  }
  expect((await ask(`${target}${factory}/n-1`)).body).toMatchObject({ name: "SIGKILL" });
}, 120_000);

test("rejects a second import in the same work directory", async () => {
  const { source, copy } = await hosts();
  await load(source);
  const both = await Promise.all([copy(), copy()]);
  expect(both.map(({ code }) => code).sort()).toEqual([0, 78]);
  expect(both.find(({ code }) => code !== 0)?.log).toMatch(/Another import is using .*--work-dir/);
}, 60_000);

test("rejects options of the gRPC port and reads a token from a file", async () => {
  const { copy } = await hosts();
  for (const more of [
    ["--address", "127.0.0.1:1"],
    ["--profile", "x"],
    ["--tls"],
    ["--ca-file", "x"],
  ]) {
    expect(await copy(...more)).toMatchObject({
      code: 64,
      log: expect.stringContaining("--to URL"),
    });
  }
  expect(await copy("--token-file", "/no/such/file")).toMatchObject({
    code: 78,
    log: expect.stringContaining("/no/such/file"),
  });
}, 60_000);

test("rejects a target that was written to or has other documents, and leaves it unchanged", async () => {
  const { source, target, copy } = await hosts();
  await load(source);
  expect(await copy()).toMatchObject({ code: 0 });
  await ask(`${target}${factory}/n-1`, "PATCH", { name: "own" });
  const refused = await copy();
  expect(refused.code).not.toBe(0);
  expect(refused.log).toContain("was modified since");
  expect((await ask(`${target}${factory}/n-1`)).body).toMatchObject({ name: "own" });
  expect(await copy("--replace")).toMatchObject({ code: 0 });
  expect((await ask(`${target}${factory}/n-1`)).body).toMatchObject({ name: "name 1" });
}, 60_000);

import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../../test/support/eventually.js";
import { run } from "../../test/support/tools.js";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { readConfig } from "../host/config.js";
import { limits } from "../limits.js";
import { reloadOnChange } from "./reload.js";

const directory = temporaryDirectory();
const path = join(directory, "tokens");
const logged: unknown[] = [];
let reloads = 0;
let stop = () => {};

beforeEach(() => {
  logged.length = 0;
  reloads = 0;
  rmSync(path, { force: true, recursive: true });
  writeFileSync(path, "reader read\n");
  const log = { info: () => undefined, error: (fields: object) => logged.push(fields) };
  const reload = () => {
    reloads += 1;
    readConfig({ "token-file": path, "data-dir": directory }, {});
  };
  stop = reloadOnChange({ files: [path], reload, log });
});
afterEach(() => stop());

const reloadOnSignal = async () => {
  const before = reloads;
  process.emit("SIGHUP");
  expect(reloads).toBe(before + 1);
};

test.each([
  ["is missing", () => undefined],
  ["is a symbolic link to itself", () => symlinkSync(path, path)],
  ["has a parent that is a file", () => symlinkSync("/dev/null/x", path)],
  ["is a directory", () => mkdirSync(path)],
  ["is an endless device", () => symlinkSync("/dev/zero", path)],
  ["is a pipe without a writer", () => run("mkfifo", [path])],
  ["exceeds the size limit", () => writeFileSync(path, Buffer.alloc(2 * limits.secretFileBytes))],
])("logs a file that %s, without blocking or exiting", async (_what, make) => {
  rmSync(path);
  await Promise.resolve(make());
  await reloadOnSignal();
  expect(logged).toEqual([expect.objectContaining({ reason: "CONFIGURATION_INVALID" })]);
});

test("reloads a file whose size and mtime are unchanged", async () => {
  const when = new Date(1_700_000_000_000);
  utimesSync(path, when, when);
  stop();
  stop = reloadOnChange({
    files: [path],
    reload: () => void (reloads += 1),
    log: { info: () => undefined, error: () => undefined },
  });
  const before = reloads;
  writeFileSync(path, "writer read\n");
  utimesSync(path, when, when);
  await eventually(() => reloads > before, { timeoutMs: limits.reloadCheckMs + 20_000 });
}, 60_000);

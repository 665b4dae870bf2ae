import { mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "../../test/support/tools.js";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { readConfig } from "../host/config.js";
import { limits } from "../limits.js";
import { reloadOnChange } from "./reload.js";

const directory = temporaryDirectory();
const path = join(directory, "tokens");
const logged: unknown[] = [];
let taken = 0;
let stop = () => {};

beforeEach(() => {
  logged.length = 0;
  taken = 0;
  rmSync(path, { force: true, recursive: true });
  writeFileSync(path, "reader read\n");
  const log = { info: () => undefined, error: (fields: object) => logged.push(fields) };
  const reload = () => {
    taken += 1;
    readConfig({ "token-file": path, "data-dir": directory }, {});
  };
  stop = reloadOnChange({ files: [path], reload, log });
});
afterEach(() => stop());

const reloaded = async () => {
  const before = taken;
  process.emit("SIGHUP");
  expect(taken).toBe(before + 1);
};

test.each([
  ["is gone", () => undefined],
  ["is a link to itself", () => symlinkSync(path, path)],
  ["is below a file", () => symlinkSync("/dev/null/x", path)],
  ["is a directory", () => mkdirSync(path)],
  ["is a device without an end", () => symlinkSync("/dev/zero", path)],
  ["is a pipe that nobody writes to", () => run("mkfifo", [path])],
  ["is far too large", () => writeFileSync(path, Buffer.alloc(2 * limits.secretFileBytes))],
])("a file that %s is logged, at once, and ends nothing", async (_what, make) => {
  rmSync(path);
  await Promise.resolve(make());
  await reloaded();
  expect(logged).toEqual([expect.objectContaining({ reason: "CONFIGURATION_INVALID" })]);
});

test("a change counts that leaves size and time of the content as they were", async () => {
  const when = new Date(1_700_000_000_000);
  utimesSync(path, when, when);
  stop();
  stop = reloadOnChange({
    files: [path],
    reload: () => void (taken += 1),
    log: { info: () => undefined, error: () => undefined },
  });
  const before = taken;
  writeFileSync(path, "writer read\n");
  utimesSync(path, when, when);
  await sleep(limits.reloadCheckMs + 1000);
  expect(taken).toBeGreaterThan(before);
}, 60_000);

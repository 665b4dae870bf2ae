import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { acquireLease } from "../io/lease.js";
import { systemSeams } from "../io/seams.js";
import { mergeLease, mergePrefix, openDirectoryWriter } from "./directory.js";

const directory = mkdtempSync(join(tmpdir(), "holdfast-test-"));
afterAll(() => rmSync(directory, { recursive: true }));
const { signal } = new AbortController();

test("whoever backs up to a directory leaves alone what another one merges there, and removes what nobody does any more", async () => {
  const [alive, dead, never] = ["alive", "dead", "never"].map((name) => join(directory, mergePrefix + name));
  for (const path of [alive, dead, never]) {
    mkdirSync(path ?? "");
    writeFileSync(join(path ?? "", "segment"), "rows");
  }
  const lease = await acquireLease(systemSeams, join(alive ?? "", mergeLease), signal);
  const leftBehind = join(dead ?? "", mergeLease);
  writeFileSync(leftBehind, "{}");
  const longAgo = Date.now() / 1000 - 60;
  utimesSync(leftBehind, longAgo, longAgo);

  const writer = await openDirectoryWriter(systemSeams, directory, signal);
  await writer.close();
  await lease.release();
  expect([alive, dead, never].map((path) => existsSync(join(path ?? "", "segment")))).toEqual([true, false, false]);
});

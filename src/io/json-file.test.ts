import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { JsonFile } from "./json-file.js";
import { nodeFileSystem } from "./node-file-system.js";
import { systemPlatform } from "./platform.js";

const numbersIn = (value: unknown) =>
  Array.isArray(value) && value.every((one) => typeof one === "number") ? value : undefined;

function open(platform = systemPlatform): JsonFile<number[]> {
  const path = join(temporaryDirectory(), "state.json");
  return new JsonFile({ platform, path, maxBytes: 100, parse: numbersIn });
}

test("reads the last value written, also after concurrent writes", async () => {
  const file = open();
  expect(await file.read()).toEqual({ state: "missing" });
  await Promise.all([file.write([1]), file.write([1, 2]), file.write([3])]);
  expect(await file.read()).toEqual({ state: "read", value: [3] });
});

test.each([
  ["text that is not JSON", "[1,"],
  ["an unexpected value", '{"a":1}'],
  ["more than the limit", `[${"1,".repeat(100)}1]`],
])("reports %s as invalid and leaves the file unchanged", async (_what, text) => {
  const file = open();
  writeFileSync(file.path, text);
  expect(await file.read()).toMatchObject({ state: "invalid" });
  expect(readFileSync(file.path, "utf8")).toBe(text);
  expect(readFileSync(await file.quarantine(), "utf8")).toBe(text);
  expect(await file.read()).toEqual({ state: "missing" });
});

test("distinguishes a failing disk from invalid content", async () => {
  const openToRead = () => Promise.reject(Object.assign(new Error("no"), { code: "EIO" }));
  const file = open({ ...systemPlatform, files: { ...nodeFileSystem, openToRead } });
  expect(await file.read()).toMatchObject({ state: "failed", error: { code: "EIO" } });
});

test("writes again after a failed write", async () => {
  let full = true;
  const create = (path: string) =>
    full
      ? Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" }))
      : nodeFileSystem.create(path);
  const file = open({ ...systemPlatform, files: { ...nodeFileSystem, create } });
  await expect(file.write([1])).rejects.toMatchObject({ code: "ENOSPC" });
  full = false;
  await file.write([2]);
  expect(await file.read()).toEqual({ state: "read", value: [2] });
});

test("detects changed bytes by a digest, and accepts a file without one", async () => {
  const path = join(temporaryDirectory(), "state.json");
  const options = { platform: systemPlatform, path, maxBytes: 100, parse: numbersIn };
  const file = new JsonFile({ ...options, withDigest: true });
  await file.write([1, 2]);
  expect(await file.read()).toEqual({ state: "read", value: [1, 2] });
  writeFileSync(path, readFileSync(path, "utf8").replace("2", "3"));
  expect(await file.read()).toMatchObject({ state: "invalid" });
  await new JsonFile(options).write([4]);
  expect(await file.read()).toEqual({ state: "read", value: [4] });
});

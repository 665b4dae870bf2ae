import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { text } from "node:stream/consumers";
import { join } from "node:path";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { writeOutput } from "./output-file.js";

const write = (path: string, content: string, signal = new AbortController().signal) =>
  writeOutput(path, signal, async (sink) => {
    for (const one of content.match(/.{1,40000}/gs) ?? []) await sink.write(Buffer.from(one));
  });
const modeOf = (path: string) => statSync(path).mode & 0o777;

test("keeps the mode of a file that it replaces", async () => {
  const path = join(temporaryDirectory(), "out");
  writeFileSync(path, "old");
  for (const mode of [0o600, 0o664]) {
    chmodSync(path, mode);
    await write(path, `new ${mode}`);
    expect(readFileSync(path, "utf8")).toBe(`new ${mode}`);
    expect(modeOf(path)).toBe(mode);
  }
});

test("follows symbolic links, including to a missing file, without replacing them", async () => {
  const root = temporaryDirectory();
  mkdirSync(join(root, "there"));
  symlinkSync("there/file", join(root, "around"));
  symlinkSync(join(root, "around"), join(root, "far"));
  await write(join(root, "far"), "a");
  await write(join(root, "far"), "b");
  expect(readFileSync(join(root, "there/file"), "utf8")).toBe("b");
  expect(readdirSync(join(root, "there"))).toEqual(["file"]);
  for (const link of ["around", "far"])
    expect(lstatSync(join(root, link)).isSymbolicLink()).toBe(true);
  symlinkSync("loop", join(root, "loop"));
  await expect(write(join(root, "loop"), "a")).rejects.toMatchObject({
    reason: "DESTINATION_FAILED",
  });
});

test("writes to a device and a pipe without replacing them", async () => {
  await write("/dev/null", "nothing");
  expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
  const pipe = join(temporaryDirectory(), "pipe");
  execFileSync("mkfifo", [pipe]);
  const content = "line\n".repeat(100_000);
  const writing = write(pipe, content);
  const reader = spawn("cat", [pipe]);
  expect(await text(reader.stdout)).toBe(content);
  await writing;
  expect(statSync(pipe).isFIFO()).toBe(true);
});

test("stops waiting for the reader of a pipe when aborted, and fails if the reader closes it", async () => {
  const pipe = join(temporaryDirectory(), "pipe");
  execFileSync("mkfifo", [pipe]);
  await expect(write(pipe, "x", AbortSignal.timeout(50))).rejects.toThrow();
  const writing = write(pipe, "x".repeat(4_000_000));
  spawn("head", ["-c", "10", pipe], { stdio: "ignore" });
  await expect(writing).rejects.toMatchObject({
    reason: "DESTINATION_FAILED",
    message: expect.stringContaining("closed the pipe") as string,
  });
});

test("keeps the existing file if the work fails", async () => {
  const root = temporaryDirectory();
  writeFileSync(join(root, "out"), "old");
  await expect(
    writeOutput(join(root, "out"), new AbortController().signal, async () =>
      Promise.reject(new Error("no")),
    ),
  ).rejects.toThrow("no");
  expect(readdirSync(root)).toEqual(["out"]);
  expect(readFileSync(join(root, "out"), "utf8")).toBe("old");
  await expect(write(root, "a")).rejects.toMatchObject({
    reason: "DESTINATION_FAILED",
    message: expect.stringContaining("directory") as string,
  });
  await expect(write(join(root, "missing/out"), "a")).rejects.toMatchObject({
    reason: "DESTINATION_MISSING",
  });
});

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { NumberFiles, numbersIn } from "./number-files.js";

const openFiles = () => readdirSync("/proc/self/fd").length;

test("keeps the numbers of each file apart", () => {
  const paths = ["a", "b"].map((name) => join(temporaryDirectory(), name));
  const files = new NumberFiles(paths);
  for (let n = 0; n < 10_000; n += 1) files.append(n % 2, n);
  files.close();
  const read = paths.map((path) => [...numbersIn(path)].flatMap((numbers) => [...numbers]));
  expect(read.map((numbers) => numbers.length)).toEqual([5000, 5000]);
  expect(read[1]?.slice(0, 3)).toEqual([1, 3, 5]);
});

test("names the disk of the host if it is full", () => {
  const files = new NumberFiles(["/dev/full"]);
  files.append(0, 7);
  expect(() => files.close()).toThrow(expect.objectContaining({ reason: "STORAGE_FULL" }) as Error);
});

test("closes all files if one cannot be opened or written", () => {
  const directory = temporaryDirectory();
  const before = openFiles();
  const missing = join(directory, "missing", "c");
  expect(() => new NumberFiles([join(directory, "a"), join(directory, "b"), missing])).toThrow(
    "ENOENT",
  );
  expect(openFiles()).toBe(before);
  const files = new NumberFiles(["/dev/full", join(directory, "d"), "/dev/full"]);
  for (const file of [0, 1, 2]) files.append(file, 7);
  expect(() => files.close()).toThrow("ENOSPC");
  expect(openFiles()).toBe(before);
  expect([...numbersIn(join(directory, "d"))].map((numbers) => [...numbers])).toEqual([[7]]);
});

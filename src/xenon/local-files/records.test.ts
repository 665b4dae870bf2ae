import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { systemPlatform } from "../../io/platform.js";
import { fileRecords, type FileRecord } from "./records.js";

const record: FileRecord = {
  link: "/local-files/a",
  localFileUri: "file:/srv/a.zip",
  fileOptions: ["WRITE"],
  writeFinished: false,
  version: 0,
  updateTimeMicros: 1,
};

test("does not remove a file named in a record unless it is a partial upload", async () => {
  const root = temporaryDirectory();
  const records = fileRecords(systemPlatform, join(root, "services"));
  await records.load(() => {});
  await records.write({ ...record, unfinished: join(root, "photos.zip") });
  await records.write({
    ...record,
    link: "/local-files/b",
    unfinished: join(root, ".upload-0123456789abcdef.holdfast"),
  });
  const loaded = await records.load(() => {});
  expect(loaded.map(({ unfinished }) => unfinished).sort()).toEqual([
    join(root, ".upload-0123456789abcdef.holdfast"),
    undefined,
  ]);
});

test("keeps and reports an unreadable record", async () => {
  const directory = join(temporaryDirectory(), "services");
  const records = fileRecords(systemPlatform, directory);
  await records.load(() => {});
  await records.write(record);
  const path = join(directory, readdirSync(directory)[0] ?? "");
  writeFileSync(path, readFileSync(path, "utf8").slice(1));
  const unreadable: string[] = [];
  expect(await records.load((one) => unreadable.push(one))).toEqual([]);
  expect(unreadable).toEqual([path]);
  expect(existsSync(path)).toBe(true);
});

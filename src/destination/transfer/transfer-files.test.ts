import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { systemPlatform } from "../../io/platform.js";
import { TransferFiles } from "./transfer-files.js";

const keepMs = 3600_000;
let directory: string;
const unreadable: string[] = [];
const load = () =>
  new TransferFiles(systemPlatform, directory).load(keepMs, (path) => unreadable.push(path));

beforeEach(async () => {
  directory = join(temporaryDirectory(), "transfers");
  mkdirSync(directory);
  unreadable.length = 0;
  writeFileSync(join(directory, "up.bin"), "0123456789");
  await new TransferFiles(systemPlatform, directory).writeRecord({
    name: "up",
    direction: "upload",
    sizeBytes: 20,
    committedBytes: 10,
    createTimeMicros: 1,
    complete: false,
    sha256: "",
  });
});

test.each<[string, (text: string) => string]>([
  ["is not JSON", (text) => text.slice(1)],
  ["names another transfer", (text) => text.replace('"name":"up"', '"name":"uq"')],
  [
    "states more bytes than the file has",
    (text) => text.replace('"committedBytes":10', '"committedBytes":12'),
  ],
  ["has a size that is not a number", (text) => text.replace('"sizeBytes":20', '"sizeBytes":"2"')],
])(
  "keeps the bytes of a transfer whose record %s until the transfer would have expired",
  async (_what, damage) => {
    const record = join(directory, "up.json");
    writeFileSync(record, damage(readFileSync(record, "utf8")));
    expect(await load()).toEqual([]);
    expect(unreadable).toEqual([record]);
    expect(readdirSync(directory)).toEqual(["up.bin", "up.json"]);
    const longAgo = Date.now() / 1000 - 2 * 3600;
    for (const name of readdirSync(directory)) utimesSync(join(directory, name), longAgo, longAgo);
    await load();
    expect(readdirSync(directory)).toEqual([]);
  },
);

test("removes bytes without a record, and temporary files", async () => {
  writeFileSync(join(directory, "other.bin"), "x");
  writeFileSync(join(directory, ".holdfast-0123.tmp"), "x");
  expect((await load()).map(({ name }) => name)).toEqual(["up"]);
  expect(readdirSync(directory)).toEqual(["up.bin", "up.json"]);
});

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../test/support/temporary-directory.js";
import { systemPlatform } from "../io/platform.js";
import { operationJournal } from "./journal.js";
import type { OperationView } from "./operation.js";

const view = (name: string): OperationView => ({
  name: `operations/${name}`,
  kind: "backup",
  indexLink: "/core/document-index",
  target: "file:/b",
  startTimeMicros: 5,
  endTimeMicros: 6,
  progress: { stage: "done" } as OperationView["progress"],
  done: true,
});

test("skips and reports an operation whose file has a changed byte, and keeps the file", async () => {
  const directory = join(temporaryDirectory(), "operations");
  const damaged: string[] = [];
  const journal = operationJournal(systemPlatform, directory, (path) => damaged.push(path));
  await journal.load();
  await journal.write({ view: view("a") });
  await journal.write({ view: view("b") });
  expect((await journal.load()).map((one) => one.view)).toEqual([view("a"), view("b")]);
  const path = join(directory, "a.json");
  const good = readFileSync(path);
  for (let at = 0; at < good.length - 1; at += 1) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 1;
    writeFileSync(path, bad);
    expect({ at, names: (await journal.load()).map(({ view: { name } }) => name) }).toEqual({
      at,
      names: ["operations/b"],
    });
  }
  expect(new Set(damaged)).toEqual(new Set([path]));
  expect(readdirSync(directory)).toContain("a.json");
});

test("loads a file without a digest, as earlier releases wrote it, if it has the fields of an operation", async () => {
  const directory = join(temporaryDirectory(), "operations");
  const journal = operationJournal(systemPlatform, directory, () => {});
  await journal.load();
  writeFileSync(join(directory, "a.json"), JSON.stringify({ view: view("a") }));
  writeFileSync(
    join(directory, "b.json"),
    JSON.stringify({ view: { ...view("b"), startTimeMicros: "5" } }),
  );
  expect((await journal.load()).map((one) => one.view)).toEqual([view("a")]);
});

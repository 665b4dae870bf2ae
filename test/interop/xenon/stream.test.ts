import { createHash, randomBytes } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { managementRequest } from "../../support/served-host.js";
import { haveTools, run } from "../../support/tools.js";
import { temporaryDirectory } from "../../support/temporary-directory.js";
import { askOk, documentsOf, each, essence } from "./example-documents.js";
import { startHoldfast } from "./holdfast-host.js";
import { startXenon, xenonTest, type XenonHost } from "./xenon-host.js";

const octets = 524_288;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

let xenon: XenonHost;
let fresh: XenonHost;
const itTakes = xenonTest("backups between Xenon and Holdfast");
if (itTakes === test) {
  beforeAll(async () => {
    [xenon, fresh] = await Promise.all([startXenon("source"), startXenon("fresh")]);
  }, 120_000);
}

/** Fetches a file of /local-files by ranges like Xenon, with exclusive ends. */
async function fetchAsXenonDoes(url: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let position = 0, total = 1; position < total;) {
    const answer = await fetch(url, {
      headers: {
        range: `bytes=${position}-${position + octets}`,
        "content-type": "application/json",
      },
    });
    const [, first, , size] =
      /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.headers.get("content-range") ?? "") ?? [];
    expect(Number(first)).toBe(position);
    total = Number(size);
    const part = Buffer.from(await answer.arrayBuffer());
    parts.push(part);
    position += part.length;
  }
  return Buffer.concat(parts);
}

/** Names, sizes and checksums of the entries of a ZIP. */
async function entriesOf(path: string): Promise<string[]> {
  const { stdout } = await run("unzip", ["-v", path]);
  const entries = stdout
    .split("\n")
    .flatMap((line) => /^ *(\d+) .* ([0-9a-f]{8}) +(\S+)$/.exec(line)?.slice(1).join(" ") ?? []);
  expect(entries.length).toBeGreaterThan(3);
  return entries.sort();
}

/** Backs the same state up to another file: Xenon packs its files as they are. Lucene merges in between, until it is idle. */
async function compareWithItsOwn(destination: string, file: string, own: string): Promise<void> {
  for (let left = 15; ; left -= 1) {
    await askOk(
      `${xenon.url}/core/management`,
      "PATCH",
      managementRequest("Backup", { destination: `file:${own}`, backupType: "ZIP" }),
    );
    const [kept, packed] = [await entriesOf(file), await entriesOf(own)];
    if (left === 0 || kept.join() === packed.join()) return void expect(kept).toEqual(packed);
    await backup(xenon.url, destination);
  }
}

const backup = (url: string, destination: string) =>
  askOk(
    `${url}/core/management`,
    "PATCH",
    managementRequest("Backup", { destination, backupType: "STREAM" }),
  );
const restore = (url: string, destination: string) =>
  askOk(`${url}/core/management`, "PATCH", managementRequest("Restore", { destination }));

async function write(url: string, name: string, times: number, size = 0): Promise<void> {
  const keyValues = { ключ: "значение €", text: randomBytes(size).toString("base64") };
  await askOk(`${url}/core/examples`, "POST", {
    documentSelfLink: name,
    name,
    counter: 9007199254740000,
    tags: ["a", "b"],
    keyValues,
  });
  for (let i = 1; i <= times; i += 1)
    await askOk(`${url}/core/examples/${name}`, "PATCH", { name: `${name} ${i}` });
}

itTakes(
  "Xenon backs up to /local-files of Holdfast, which returns the ZIP unchanged, and a new Xenon restores it",
  async () => {
    const directory = temporaryDirectory();
    const holdfast = await startHoldfast("keeper");
    const file = join(directory, "nightly.zip");
    await askOk(`${holdfast.url}/local-files`, "POST", {
      documentSelfLink: "nightly",
      localFileUri: `file:${file}`,
      fileOptions: ["WRITE", "CREATE"],
    });
    const destination = `${holdfast.url}/local-files/nightly`;
    await each(
      Array.from({ length: 300 }, (_, i) => i),
      16,
      (i) => write(xenon.url, `d-${i}`, i % 3, 4000),
    );
    await askOk(`${xenon.url}/core/examples/d-7`, "DELETE");

    const answer = await backup(xenon.url, destination);
    expect(answer).toMatchObject({ destination, backupType: "STREAM" });
    const first = readFileSync(file);
    // Longer than two of the parts that Xenon sends at once.
    expect(first.length).toBeGreaterThan(2 * octets);
    expect(sha256(await fetchAsXenonDoes(destination))).toBe(sha256(first));
    if (haveTools("unzip -t on Xenon's ZIP", "unzip"))
      expect((await run("unzip", ["-t", file])).stdout).toContain("No errors detected");

    await each(
      Array.from({ length: 50 }, (_, i) => i),
      16,
      (i) => write(xenon.url, `late-${i}`, 1, 4000),
    );
    await backup(xenon.url, destination);
    const second = readFileSync(file);
    expect(second.equals(first)).toBe(false);
    expect(sha256(await fetchAsXenonDoes(destination))).toBe(sha256(second));
    if (haveTools("unzip -v of both ZIPs", "unzip"))
      await compareWithItsOwn(destination, file, join(directory, "own.zip"));

    const kept = await documentsOf(xenon.url);
    expect(Object.keys(kept)).toHaveLength(349);
    await restore(fresh.url, destination);
    const check = async () => expect(essence(await documentsOf(fresh.url))).toEqual(essence(kept));
    await check();
    await fresh.restart();
    await check();

    // Another index with a much shorter backup: no bytes of the longer one may remain after it.
    await askOk(`${xenon.url}/core/in-memory-examples`, "POST", {
      documentSelfLink: "m",
      name: "m",
    });
    await askOk(
      `${xenon.url}/core/management`,
      "PATCH",
      managementRequest("Backup", {
        destination,
        backupType: "STREAM",
        indexServiceLink: "/core/in-memory-document-index",
      }),
    );
    const third = readFileSync(file);
    expect(third.length).toBeLessThan(100_000);
    expect(sha256(await fetchAsXenonDoes(destination))).toBe(sha256(third));
    if (haveTools("unzip -t on Xenon's ZIP", "unzip"))
      expect((await run("unzip", ["-t", file])).stdout).toContain("No errors detected");
  },
  120_000,
);

/** Backs a Holdfast host up to the file service of a Xenon and restores another one from there. Resolves to the documents of both. */
async function throughXenon(
  link: string,
  fill: (url: string) => Promise<void>,
): Promise<{ source: string; target: string; bytes: number; seconds: number }> {
  const file = join(temporaryDirectory(), `${link}.zip`);
  await askOk(`${xenon.url}/local-files`, "POST", {
    documentSelfLink: link,
    localFileUri: `file:${file}`,
    fileOptions: ["WRITE", "CREATE"],
  });
  const [source, target] = [await startHoldfast("holdfast"), await startHoldfast("holdfast-2")];
  await fill(source.url);
  const begun = performance.now();
  const destination = `${xenon.url}/local-files/${link}`;
  expect(await backup(source.url, destination)).toMatchObject({
    destination,
    backupType: "STREAM",
  });
  const seconds = (performance.now() - begun) / 1000;
  await restore(target.url, destination);
  return { source: source.url, target: target.url, bytes: statSync(file).size, seconds };
}

itTakes(
  "Holdfast backs up to the file service of a Xenon, from which another Holdfast restores every version",
  async () => {
    const { source, target } = await throughXenon("small", async (url) => {
      await each(
        Array.from({ length: 100 }, (_, i) => i),
        8,
        (i) => write(url, `s-${i}`, i % 3, 100),
      );
      await askOk(`${url}/core/examples/s-7`, "DELETE");
    });
    const kept = await documentsOf(source);
    expect(Object.keys(kept)).toHaveLength(99);
    expect(await documentsOf(target)).toEqual(kept);
    for (let i = 0; i < 100; i += 1) {
      for (let version = 0; version <= i % 3; version += 1) {
        const past = `/core/document-index?documentSelfLink=/core/examples/s-${i}&documentVersion=${version}`;
        expect(await askOk(target + past)).toEqual(await askOk(source + past));
      }
    }
    expect((await fetch(`${target}/core/examples/s-7`)).status).toBe(404);
  },
  60_000,
);

itTakes(
  "transfers more than 100 MiB to the file service of a Xenon and back",
  async () => {
    const { source, target, bytes, seconds } = await throughXenon("large", (url) =>
      each(
        Array.from({ length: 145 }, (_, i) => i),
        4,
        (i) => write(url, `l-${i}`, 0, 786_432),
      ),
    );
    console.info(
      `${(bytes / 2 ** 20).toFixed(1)} MiB went to a Xenon's file service in ${seconds.toFixed(1)} s, read back.`,
    );
    expect(bytes).toBeGreaterThan(100 * 2 ** 20);
    const counted = "/core/examples?$count=true";
    expect(await askOk(target + counted)).toMatchObject({ totalCount: 145 });
    for (let i = 0; i < 145; i += 1)
      expect(await askOk(`${target}/core/examples/l-${i}`)).toEqual(
        await askOk(`${source}/core/examples/l-${i}`),
      );
  },
  240_000,
);

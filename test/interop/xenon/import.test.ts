import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseMembers } from "../../../src/document/members.js";
import { eventually } from "../../support/eventually.js";
import { ask, runToEnd, type Ended } from "../../support/served-host.js";
import { temporaryDirectory } from "../../support/temporary-directory.js";
import { askOk, documentsOf, each } from "./example-documents.js";
import { startHoldfast } from "./holdfast-host.js";
import { startXenon, xenonTest, type XenonHost } from "./xenon-host.js";

const factory = "/core/examples";
const count = 10_000;
const deleted = count / 10;
/** The number of requests: one for each document, patch, put and delete. */
const versions = count + count / 2 + count / 5 + deleted;
const number = (n: number) => n.toLocaleString("en-US");
const itTakes = xenonTest("the import from a live Xenon");

let xenon: XenonHost;
if (itTakes === test) {
  beforeAll(async () => {
    xenon = await startXenon("xenon-source");
    await load(xenon.url);
  }, 180_000);
}

/**
 * Documents with several versions, a wide range of characters and integers beyond a double; every
 * tenth is deleted at the end.
 */
async function load(url: string): Promise<void> {
  await each(
    Array.from({ length: count }, (_, i) => i),
    24,
    async (i) => {
      const link = `${url}${factory}/n-${i}`;
      const keyValues = {
        "ключ €": `wert "${i}" \\ 🙂`,
        json: JSON.stringify({ nested: { deep: [i, null, "\n"] } }),
      };
      const counter = i % 3 === 0 ? `${9007199254740993n + BigInt(i)}` : `${i}`;
      await send(
        "POST",
        `${url}${factory}`,
        `{"documentSelfLink":"n-${i}","name":"name ${i}","counter":${counter},"tags":["a","b"],"keyValues":${JSON.stringify(keyValues)}}`,
      );
      if (i % 2 === 0) await send("PATCH", link, `{"name":"patched ${i}","tags":["c"]}`);
      if (i % 5 === 0)
        await send(
          "PUT",
          link,
          `{"name":"put ${i}","keyValues":{"k":"${i}"},"sortedCounter":-9223372036854775808}`,
        );
      if (i % 10 === 0) await send("DELETE", link);
    },
  );
}

async function send(method: string, url: string, body?: string): Promise<string> {
  const answer = await fetch(url, {
    method,
    ...(body !== undefined && { body, headers: { "content-type": "application/json" } }),
  });
  const text = await answer.text();
  if (answer.status !== 200)
    throw new Error(`${method} ${url}: ${answer.status} ${text.slice(0, 300)}`);
  return text;
}

const importArguments = (target: string, work: string, ...more: string[]) => [
  "import",
  "--from-xenon",
  xenon.url,
  "--to",
  target,
  "--factory",
  factory,
  "--work-dir",
  work,
  ...more,
];
const importInto = (target: string, work: string, ...more: string[]): Promise<Ended> =>
  runToEnd(importArguments(target, work, ...more));

/** Fields that only a Xenon has. */
const dropped = new Set(["documentAuthPrincipalLink", "documentTransactionId", "documentEpoch"]);

/** The members of a document in order of their names, each with its exact text. */
function textsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    [...parseMembers(text)]
      .filter(([name]) => !dropped.has(name))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/**
 * Expects every version of the documents to be the same on both hosts, also when the target is queried by the
 * link of the document.
 */
async function expectSameHistory(target: string, numbers: number[]): Promise<void> {
  for (const i of numbers) {
    const link = `${factory}/n-${i}`;
    const last = (i % 2 === 0 ? 1 : 0) + (i % 5 === 0 ? 1 : 0) + (i % 10 === 0 ? 1 : 0);
    for (let version = 0; version <= last; version += 1) {
      const old = `/core/document-index?documentSelfLink=${link}&documentVersion=${version}`;
      const theirs = textsOf(await send("GET", xenon.url + old));
      expect(theirs).toMatchObject({
        documentVersion: String(version),
        documentOwner: '"xenon-source"',
      });
      expect(textsOf(await send("GET", target + old))).toEqual(theirs);
      expect(textsOf(await send("GET", `${target}${link}?documentVersion=${version}`))).toEqual(
        theirs,
      );
    }
    if (i % 10 === 0)
      for (const host of [xenon.url, target]) expect((await ask(host + link)).status).toBe(404);
    else
      expect(textsOf(await send("GET", target + link))).toEqual(
        textsOf(await send("GET", xenon.url + link)),
      );
  }
}

const sample = [0, 1, 2, 3, 4, 5, 10, 999, 1000, 1001, 4998, 5000, 9985, 9990, 9996, 9998, 9999];

itTakes(
  "imports 10,000 documents with every version, and later writes by a second import",
  async () => {
    const target = await startHoldfast("target");
    const work = join(temporaryDirectory(), "work");
    const first = await importInto(target.url, work, "--all-versions");
    expect(first).toMatchObject({ code: 0 });
    expect(first.output).toContain(
      `Copied ${number(count - deleted)} documents with ${number(versions)} versions`,
    );
    expect(first.output).toContain(`${factory}: identical on both sides`);
    expect(
      first.output.match(new RegExp(`${number(count)} links, ${number(versions)} versions`, "g")),
    ).toHaveLength(2);
    await expectSameHistory(target.url, sample);
    expect(await askOk(`${target.url}${factory}?$count=true`)).toMatchObject({
      totalCount: count - deleted,
    });

    await each(
      [1, 2, 3],
      1,
      async (i) =>
        void (await send("PATCH", `${xenon.url}${factory}/n-${i}`, `{"name":"later ${i}"}`)),
    );
    await send("DELETE", `${xenon.url}${factory}/n-7`);
    await send("POST", `${xenon.url}${factory}`, '{"documentSelfLink":"new","name":"new"}');
    const second = await importInto(target.url, work, "--all-versions");
    expect(second).toMatchObject({ code: 0 });
    expect(second.output).toContain(`${factory}: identical on both sides`);
    for (const link of ["n-1", "n-2", "n-3", "new"])
      expect(textsOf(await send("GET", `${target.url}${factory}/${link}`))).toEqual(
        textsOf(await send("GET", `${xenon.url}${factory}/${link}`)),
      );
    expect((await ask(`${target.url}${factory}/n-7`)).status).toBe(404);
  },
  180_000,
);

/** Runs an import until its output matches a pattern, then runs an action. */
async function importUntil(
  pattern: RegExp,
  args: string[],
  then: (kill: () => void) => Promise<void>,
): Promise<number | NodeJS.Signals> {
  const child = spawn(process.execPath, [resolve("dist/src/cli/main.js"), ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const closed = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  let log = "";
  let acted: Promise<void> | undefined;
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
    if (pattern.test(log)) acted ??= then(() => void child.kill("SIGKILL"));
  });
  const [code, signal] = await closed;
  if (acted === undefined) throw new Error(`The output never matched ${String(pattern)}: ${log}`);
  await acted;
  return code ?? signal ?? "SIGKILL";
}

itTakes(
  "resumes an import that was killed while it copied",
  async () => {
    const target = await startHoldfast("target");
    const work = join(temporaryDirectory(), "work");
    const args = [target.url, work, "--all-versions", "--page-size", "200"] as const;
    const killed = await importUntil(/copying/, importArguments(...args), async (kill) => {
      const log = join(work, "staging.sqlite-wal");
      await eventually(() => existsSync(log) && statSync(log).size >= 100_000);
      kill();
    });
    expect(killed).toBe("SIGKILL");
    expect(await askOk(`${target.url}${factory}?$count=true`)).toMatchObject({ totalCount: 0 });
    const rest = await importInto(...args);
    expect(rest).toMatchObject({ code: 0 });
    expect(rest.output).toContain(`${factory}: identical on both sides`);
    await expectSameHistory(target.url, [0, 5, 10, 999, 9996, 9999]);
  },
  120_000,
);

/** Every link of the factory, by page: a Xenon rejects more than 10,000 versions at once. */
async function linksOf(url: string): Promise<string[]> {
  const links: string[] = [];
  for (let next: unknown = `${factory}?$limit=2000`; typeof next === "string";) {
    const page = await askOk(url + next);
    links.push(...(page["documentLinks"] as string[]));
    next = page["nextPageLink"];
  }
  return links.sort();
}

itTakes(
  "imports only the latest versions",
  async () => {
    const target = await startHoldfast("target");
    const { code, output } = await importInto(target.url, join(temporaryDirectory(), "work"));
    expect({ code, output }).toEqual({
      code: 0,
      output: expect.stringContaining(`${factory}: identical on both sides`),
    });
    expect(await linksOf(target.url)).toEqual(await linksOf(xenon.url));
    for (const i of [4, 5, 6, 9995, 9999])
      expect(textsOf(await send("GET", `${target.url}${factory}/n-${i}`))).toEqual(
        textsOf(await send("GET", `${xenon.url}${factory}/n-${i}`)),
      );
  },
  120_000,
);

itTakes(
  "rejects a target with other documents and leaves it unchanged, and never loses a concurrent write",
  async () => {
    const own = await startHoldfast("own");
    await askOk(`${own.url}${factory}`, "POST", { documentSelfLink: "mine", name: "mine" });
    const refused = await importInto(own.url, join(temporaryDirectory(), "work"), "--all-versions");
    expect(refused.code).not.toBe(0);
    expect(refused.log).toContain("are not from this import");
    expect(Object.keys(await documentsOf(own.url))).toEqual([`${factory}/mine`]);

    const target = await startHoldfast("target");
    const work = join(temporaryDirectory(), "work");
    const code = await importUntil(
      /copying/,
      importArguments(target.url, work, "--all-versions"),
      async () =>
        void (await askOk(`${target.url}${factory}`, "POST", {
          documentSelfLink: "between",
          name: "between",
        })),
    );
    expect(code).not.toBe(0);
    expect(Object.keys(await documentsOf(target.url))).toEqual([`${factory}/between`]);
  },
  120_000,
);

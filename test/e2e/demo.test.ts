import { changesBetween, compareDocuments } from "../../demo/compare.js";
import { visitsAreConsistent } from "../../demo/background.js";
import { loadCorpus, partOf, type Body, type Corpus } from "../../demo/corpus.js";
import { runStory, type Story } from "../../demo/story.js";
import { createHost as createSourceHost } from "../../src/index.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

// The demo is typed against the built package, whose classes are other declarations than those in src.
const createHost = createSourceHost as unknown as Story["createHost"];

const map = (entries: Record<string, Body>) => new Map(Object.entries(entries));

describe("comparisons of the demo", () => {
  const expected = map({ "/a": { x: 1, y: { z: [1, 2] } }, "/b": { x: 2 } });

  test.each<[string, Record<string, Body>, object[]]>([
    ["equal documents in another order", { "/b": { x: 2 }, "/a": { y: { z: [1, 2] }, x: 1 } }, []],
    [
      "a missing document",
      { "/a": { x: 1, y: { z: [1, 2] } } },
      [{ link: "/b", problem: "missing" }],
    ],
    [
      "an unexpected document",
      { "/a": { x: 1, y: { z: [1, 2] } }, "/b": { x: 2 }, "/c": {} },
      [{ link: "/c", problem: "extra" }],
    ],
    [
      "a different value",
      { "/a": { x: 1, y: { z: [1, 3] } }, "/b": { x: 2 } },
      [{ link: "/a", problem: "differs" }],
    ],
    [
      "a different order in a list",
      { "/a": { x: 1, y: { z: [2, 1] } }, "/b": { x: 2 } },
      [{ link: "/a", problem: "differs" }],
    ],
    [
      "a different type",
      { "/a": { x: 1, y: { z: [1, 2] } }, "/b": { x: "2" } },
      [{ link: "/b", problem: "differs" }],
    ],
    ["a missing field", { "/a": { x: 1 }, "/b": { x: 2 } }, [{ link: "/a", problem: "differs" }]],
    [
      "an additional field",
      { "/a": { x: 1, y: { z: [1, 2] } }, "/b": { x: 2, more: null } },
      [{ link: "/b", problem: "differs" }],
    ],
  ])("%s", (_what, found, differences) => {
    expect(compareDocuments(expected, map(found))).toEqual(differences);
  });

  test("finds the changes between two sets of documents", () => {
    expect(changesBetween(expected, map({ "/a": { x: 9 }, "/c": {} }))).toEqual({
      created: [["/c", {}]],
      changed: [["/a", { x: 9 }]],
      removed: ["/b"],
    });
  });

  test("rejects visits with a gap, too few or too many", () => {
    const visits = (turns: number[]) =>
      new Map(turns.map((turn) => [`/v/${turn}`, { writer: 0, turn }]));
    expect(visitsAreConsistent(visits([0, 1, 2]), [2], [3])).toBe(true);
    expect(visitsAreConsistent(visits([0, 1, 2]), [3], [2])).toBe(true);
    expect(visitsAreConsistent(visits([]), [0], [0])).toBe(true);
    expect(visitsAreConsistent(visits([0, 2]), [1], [3])).toBe(false);
    expect(visitsAreConsistent(visits([0, 1]), [3], [3])).toBe(false);
    expect(visitsAreConsistent(visits([0, 1, 2, 3]), [1], [2])).toBe(false);
  });
});

test("loads nested features under links made of their paths", () => {
  const { version, documents } = loadCorpus("mdn-bcd-7");
  expect(version).toMatch(/^7\./);
  expect(documents.size).toBeGreaterThan(16_000);
  expect(documents.get("/mdn/features/api/AbortController/abort")).toMatchObject({
    status: { deprecated: false },
  });
  expect(documents.has("/mdn/features/api/AbortController")).toBe(true);
  expect([...documents.keys()].some((link) => link.includes("__"))).toBe(false);
});

describe("the demo with part of the features", () => {
  const areas = ["http", "svg", "webassembly"];
  const part = (name: Parameters<typeof loadCorpus>[0]) => partOf(loadCorpus(name), areas);
  const corpora: readonly [Corpus, Corpus, Corpus] = [
    part("mdn-bcd-6"),
    part("mdn-bcd-7"),
    part("mdn-bcd-8"),
  ];

  test("succeeds and prints what it compared", async () => {
    const printed: string[] = [];
    const { problems, line } = await runStory({
      createHost,
      corpora,
      directory: temporaryDirectory(),
      say: (text) => void printed.push(text),
    });
    expect(problems).toEqual([]);
    const [oldest, middle] = corpora.map(({ documents }) => documents.size.toLocaleString("en-US"));
    expect(line).toContain(`OK: ${middle} of ${middle} documents as in 7.`);
    expect(line).toContain(`${oldest} of ${oldest} documents as in 6.`);
    expect(printed.join("\n")).toMatch(/Restored online to the target time .* \(0 failed/);
  });

  test("reports a changed, a missing and an unexpected document", async () => {
    const hosts: Awaited<ReturnType<Story["createHost"]>>[] = [];
    const [changed, lost] = [...corpora[1].documents.keys()];
    const { problems, line } = await runStory({
      corpora,
      directory: temporaryDirectory(),
      async createHost(options) {
        const host = await createHost(options);
        hosts.push(host);
        return host;
      },
      async say(text) {
        const documents = hosts[0]?.documents;
        if (!text.startsWith("Restored online") || !documents || !changed || !lost) return;
        await documents.patch(changed, '{"note":1}');
        await documents.delete(lost);
        await documents.create("/mdn/features", '{"documentSelfLink":"more"}');
      },
    });
    expect(line).toMatch(/^FAILED: /);
    expect(problems.map((problem) => problem.replace(/^.*version: /, ""))).toEqual([
      `${changed} differs`,
      `${lost} is missing`,
      "/mdn/features/more is extra",
    ]);
  });
});

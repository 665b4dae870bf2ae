import { eventually } from "../../support/eventually.js";
import { ask } from "../../support/served-host.js";
import { askOk, documentsOf, each } from "./example-documents.js";
import { startHoldfast } from "./holdfast-host.js";
import { canCompileJava, startXenon, xenonTest, type XenonHost } from "./xenon-host.js";

const itTakes = xenonTest("Xenon's migration tasks");
let xenon: XenonHost;
let canRun = false;
if (itTakes === test) {
  beforeAll(async () => {
    canRun = await canCompileJava("Xenon's migration tasks");
    if (canRun) xenon = await startXenon("migrating", "MigratingPeer");
  }, 120_000);
}

const factory = "/core/examples";
const from = (name: string) => ({
  query: {
    booleanClauses: [
      {
        occurance: "MUST_OCCUR",
        term: {
          propertyName: "documentSelfLink",
          matchType: "PREFIX",
          matchValue: `${factory}/${name}`,
        },
      },
    ],
  },
});

interface TaskState extends Record<string, unknown> {
  documentSelfLink: string;
  taskInfo: { stage: string; failure?: { message: string } };
  latestSourceUpdateTimeMicros: number;
}

/** Runs a migration task on the Xenon, which copies documents with a name prefix between node groups. */
async function migrate(
  name: string,
  source: string,
  target: string,
  more: object = {},
  querySpec: object = {},
): Promise<TaskState> {
  const group = (url: string) => `${url}/core/node-groups/default`;
  const task = (await askOk(`${xenon.url}/management/migration-tasks`, "POST", {
    sourceNodeGroupReference: group(source),
    sourceFactoryLink: factory,
    destinationNodeGroupReference: group(target),
    destinationFactoryLink: factory,
    querySpec: { ...from(name), ...querySpec },
    ...more,
  })) as TaskState;
  return eventually(
    async () => {
      const state = (await askOk(xenon.url + task.documentSelfLink)) as TaskState;
      return ["FINISHED", "FAILED", "CANCELLED"].includes(state.taskInfo.stage) && state;
    },
    { timeoutMs: 120_000, intervalMs: 100 },
  );
}

async function write(url: string, name: string, i: number): Promise<void> {
  const link = `${name}${i}`;
  await askOk(url + factory, "POST", {
    documentSelfLink: link,
    name: link,
    counter: i,
    tags: ["a", "b"],
    keyValues: { ключ: "значение €" },
  });
  for (let n = 1; n <= i % 3; n += 1)
    await askOk(`${url}${factory}/${link}`, "PATCH", { name: `${link} ${n}` });
  if (i % 10 === 9) await askOk(`${url}${factory}/${link}`, "DELETE");
}

/** The fields that the migration keeps. */
async function kept(url: string, name: string): Promise<Record<string, unknown>> {
  const documents = Object.entries(await documentsOf(url)).filter(([link]) =>
    link.startsWith(`${factory}/${name}`),
  );
  return Object.fromEntries(
    documents.map(
      ([link, { name: value, counter, tags, keyValues, documentSelfLink, documentKind }]) => [
        link,
        { value, counter, tags, keyValues, documentSelfLink, documentKind },
      ],
    ),
  );
}

describe.each([
  ["from Holdfast to Xenon", (holdfast: string) => [holdfast, xenon.url] as const],
  ["from Xenon to Holdfast", (holdfast: string) => [xenon.url, holdfast] as const],
])("%s", (what, sides) => {
  const name = what.startsWith("from Xenon") ? "in-" : "out-";

  itTakes(
    "migrates the current documents by page through both node groups",
    async () => {
      if (!canRun) return;
      const [source, target] = sides((await startHoldfast("holdfast")).url);
      await each(
        Array.from({ length: 300 }, (_, i) => i),
        16,
        (i) => write(source, `${name}a-`, i),
      );
      const state = await migrate(
        `${name}a-`,
        source,
        target,
        { migrationOptions: ["ESTIMATE_COUNT"] },
        { resultLimit: 100 },
      );
      expect(state.taskInfo).toMatchObject({ stage: "FINISHED" });
      const documents = await kept(source, `${name}a-`);
      expect(Object.keys(documents)).toHaveLength(270);
      expect(await kept(target, `${name}a-`)).toEqual(documents);
      const last = Object.values(await documentsOf(source)).filter(({ documentSelfLink }) =>
        String(documentSelfLink).startsWith(`${factory}/${name}a-`),
      );
      expect(state.latestSourceUpdateTimeMicros).toBe(
        Math.max(...last.map((document) => Number(document["documentUpdateTimeMicros"]))),
      );
      for (const document of Object.values(await documentsOf(target)))
        expect(document).toMatchObject({ isFromMigration: true });

      // An existing document is rejected, or replaced if the task says so.
      await askOk(`${source}${factory}/${name}a-0`, "PATCH", { name: "changed" });
      const again = await migrate(`${name}a-`, source, target);
      expect(again.taskInfo).toMatchObject({
        stage: "FAILED",
        failure: { message: expect.stringContaining("Service already started") as string },
      });
      expect(
        (await migrate(`${name}a-`, source, target, { migrationOptions: ["DELETE_AFTER"] }))
          .taskInfo,
      ).toMatchObject({ stage: "FINISHED" });
      expect(await kept(target, `${name}a-`)).toEqual(await kept(source, `${name}a-`));
      expect(await askOk(`${target}${factory}/${name}a-0`)).toMatchObject({ name: "changed" });
    },
    120_000,
  );

  itTakes(
    "migrates all versions in order",
    async () => {
      if (!canRun) return;
      const [source, target] = sides((await startHoldfast("holdfast")).url);
      await each(
        Array.from({ length: 60 }, (_, i) => i),
        16,
        (i) => write(source, `${name}v-`, i),
      );
      expect(
        (await migrate(`${name}v-`, source, target, { migrationOptions: ["ALL_VERSIONS"] }))
          .taskInfo,
      ).toMatchObject({ stage: "FINISHED" });
      expect(await kept(target, `${name}v-`)).toEqual(await kept(source, `${name}v-`));
      for (let i = 0; i < 60; i += 1) {
        if (i % 10 === 9) continue;
        for (let version = 0; version <= i % 3; version += 1) {
          const past = `/core/document-index?documentSelfLink=${factory}/${name}v-${i}&documentVersion=${version}`;
          const { name: value, documentVersion, documentUpdateAction } = await askOk(source + past);
          expect(await askOk(target + past)).toMatchObject({
            name: value,
            documentVersion,
            documentUpdateAction,
          });
        }
      }
    },
    120_000,
  );

  itTakes(
    "migrates changes with a continuous task",
    async () => {
      if (!canRun) return;
      const [source, target] = sides((await startHoldfast("holdfast")).url);
      await write(source, `${name}c-`, 0);
      const task = await migrate(`${name}c-`, source, target, {
        continuousMigration: true,
        maintenanceIntervalMicros: 500_000,
        migrationOptions: ["DELETE_AFTER"],
      });
      for (const i of [1, 2]) {
        await write(source, `${name}c-`, i);
        await eventually(
          async () => (await ask(`${target}${factory}/${name}c-${i}`)).status === 200,
          { intervalMs: 100 },
        );
        const there = await askOk(`${target}${factory}/${name}c-${i}`);
        expect(there).toMatchObject({ documentSelfLink: `${factory}/${name}c-${i}` });
      }
      await askOk(xenon.url + task.documentSelfLink, "DELETE");
    },
    120_000,
  );
});

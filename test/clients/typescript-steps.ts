import { statSync } from "node:fs";
import { join } from "node:path";
import { Container, TransferDirection } from "../../clients/typescript/src/index.js";
import { HealthCheckResponse_ServingStatus } from "../../clients/typescript/src/gen/grpc/health/v1/health.js";
import { policySteps } from "./policy-steps.js";
import { text, uriOf, type Outcome, type Step, type World } from "./step.js";

const documentStep = (document: {
  version: bigint;
  body?: { $case: string; value: unknown } | undefined;
}): Outcome => ({
  version: Number(document.version),
  contains:
    document.body?.$case === "json"
      ? String(document.body.value)
      : JSON.stringify(document.body?.value),
});
const json = (step: Step) => ({ $case: "json" as const, value: Buffer.from(text(step["json"])) });
const version = (step: Step) =>
  typeof step["expectedVersion"] === "number"
    ? { expectedVersion: BigInt(step["expectedVersion"]) }
    : {};

const targetTime = (time: Step[string]) =>
  time === undefined ? {} : { targetTimeMicros: BigInt(text(time) || Number(time)) };

function* manyDocuments(count: number) {
  for (let i = 0; i < count; i += 1) yield { documentSelfLink: `many-${i}`, name: `document ${i}` };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function backupRequest(world: World, step: Step) {
  return {
    destination: uriOf(world, step["destination"]),
    container:
      step["container"] === "DIRECTORY"
        ? Container.CONTAINER_DIRECTORY
        : Container.CONTAINER_UNSPECIFIED,
    requestId: text(step["requestId"]),
  };
}

/** Names of the oldest backups, as many as the step states. */
async function oldestBackups(world: World, step: Step): Promise<string[]> {
  const uri = uriOf(world, step["uri"]);
  const { backups } = await world.client.management.listBackups({ uri });
  return backups.slice(-Number(step["oldest"])).map(({ name }) => name);
}

/** One function for each `do` of clients/scenarios.yaml. */
export const steps: Record<string, (world: World, step: Step) => Promise<Outcome | void>> = {
  ...policySteps,

  async createDocument({ client, kept }, step) {
    const document = await client.documents.createDocument({
      factoryLink: text(step["factory"]),
      documentId: text(step["id"]),
      body: json(step),
    });
    if (step["keepTime"]) kept.set(text(step["keepTime"]), String(document.updateTimeMicros));
    return documentStep(document);
  },
  getDocument: async ({ client }, step) =>
    documentStep(await client.documents.getDocument({ selfLink: text(step["link"]) })),
  patchDocument: async ({ client }, step) =>
    documentStep(
      await client.documents.patchDocument({
        selfLink: text(step["link"]),
        body: json(step),
        ...version(step),
      }),
    ),
  replaceDocument: async ({ client }, step) =>
    documentStep(
      await client.documents.replaceDocument({
        selfLink: text(step["link"]),
        body: json(step),
        ...version(step),
      }),
    ),
  getDocumentVersion: async ({ client }, step) =>
    documentStep(
      await client.documents.getDocumentVersion({
        selfLink: text(step["link"]),
        version: BigInt(Number(step["version"])),
      }),
    ),
  listDocumentVersions: async ({ client }, step) => ({
    count: (await client.documents.listDocumentVersions({ selfLink: text(step["link"]) })).versions
      .length,
  }),
  listDocuments: async ({ client }, step) => ({
    count: (
      await client.documents.listDocuments({
        factoryLink: text(step["factory"]),
        filter: text(step["filter"]),
      })
    ).documents.length,
  }),
  async deleteDocument({ client }, step) {
    const { document } = await client.documents.deleteDocument({ selfLink: text(step["link"]) });
    return document && documentStep(document);
  },
  async importDocuments({ client }, step) {
    const result = await client.importDocuments(
      text(step["factory"]),
      manyDocuments(Number(step["count"])),
      { skip: BigInt(Number(step["skip"] ?? 0)) },
    );
    return Object.fromEntries(Object.entries(result).map(([name, count]) => [name, Number(count)]));
  },
  exportDocuments: async ({ client }, step) => ({
    count: (await collect(client.exportDocuments(text(step["factory"])))).length,
  }),

  async backup(world, step) {
    const { client, kept } = world;
    const request = backupRequest(world, step);
    const operation = await client.management.backup(request);
    const before = kept.get(`request ${request.requestId}`);
    if (request.requestId !== "") kept.set(`request ${request.requestId}`, operation.name);
    const result = (await client.waitForOperation(operation.name)).backup();
    if (step["keepTransfer"])
      kept.set(
        text(step["keepTransfer"]),
        result.backup?.uri.replace("transfer:", "transfers/") ?? "",
      );
    return {
      verified: result.verified,
      segments: result.segmentsWritten,
      sameOperation: before === operation.name,
    };
  },
  async startBackup(world, step) {
    const { name } = await world.client.management.backup(backupRequest(world, step));
    world.kept.set(text(step["keepOperation"]), name);
  },
  async restore(world, step) {
    return {
      documents: Number(
        (
          await world.client.restore({
            source: uriOf(world, step["source"]),
            ...targetTime(step["targetTime"]),
          })
        ).documents,
      ),
    };
  },
  async undoRestore({ client }) {
    const { name } = await client.management.undoRestore({});
    return { documents: Number((await client.waitForOperation(name)).restore().documents) };
  },
  async checkIndex({ client }) {
    const { name } = await client.management.checkIndex({});
    return { documents: Number((await client.waitForOperation(name)).check().documents) };
  },
  async verifyBackup(world, step) {
    const { name } = await world.client.management.verifyBackup({ uri: uriOf(world, step["uri"]) });
    return {
      documents: Number((await world.client.waitForOperation(name)).verify().backup?.documents),
    };
  },
  async copyBackup(world, step) {
    const { name } = await world.client.management.copyBackup({
      source: uriOf(world, step["source"]),
      destination: uriOf(world, step["destination"]),
    });
    const { backup, segmentsWritten } = (await world.client.waitForOperation(name)).copy();
    return { documents: Number(backup?.documents), segments: segmentsWritten };
  },
  /** Opens a backup, lists its documents, compares the versions of one in the live index, and closes it. */
  async openBackup(world, step) {
    const { management, documents } = world.client;
    const pointInTime = { uri: uriOf(world, step["uri"]), ...targetTime(step["targetTime"]) };
    const { name } = await management.openBackup({ pointInTime });
    const opened = (await world.client.waitForOperation(name)).open();
    const { indexLink } = opened;
    const listed = await documents.listDocuments({ factoryLink: text(step["factory"]), indexLink });
    const { differences } = await documents.compareDocumentVersions({
      selfLink: text(step["link"]),
    });
    await management.closeBackup({ indexLink });
    return {
      documents: Number(opened.documents),
      count: listed.documents.length,
      differences: differences.length,
    };
  },
  async pinBackup(world, step) {
    const [backupName = ""] = await oldestBackups(world, step);
    const uri = uriOf(world, step["uri"]);
    const reason = text(step["reason"]);
    await world.client.management.pinBackup({ uri, backupName, reason });
  },
  async unpinBackup(world, step) {
    const [backupName = ""] = await oldestBackups(world, step);
    await world.client.management.unpinBackup({ uri: uriOf(world, step["uri"]), backupName });
  },
  describeBackup: async (world, step) => ({
    documents: Number(
      (await world.client.management.describeBackup({ uri: uriOf(world, step["uri"]) })).documents,
    ),
  }),
  listBackups: async (world, step) => ({
    count: (await world.client.management.listBackups({ uri: uriOf(world, step["uri"]) })).backups
      .length,
  }),
  async diffBackups(world, step) {
    const pointInTime = (uri: Step[string], time: Step[string]) => ({
      uri: uriOf(world, uri),
      ...targetTime(time),
    });
    const messages = await collect(
      world.client.management.diffBackups({
        from: pointInTime(step["from"], step["fromTime"]),
        to: pointInTime(step["to"], undefined),
      }),
    );
    const { created, unchanged } = messages.at(-1)?.summary ?? {};
    return {
      count: messages.flatMap(({ differences }) => differences).length,
      created: Number(created),
      unchanged: Number(unchanged),
    };
  },
  async exportBackup(world, step) {
    const pointInTime = { uri: uriOf(world, step["uri"]), ...targetTime(step["targetTime"]) };
    const messages = await collect(
      world.client.management.exportBackup({
        pointInTime,
        selection: { prefixes: [text(step["prefix"])] },
      }),
    );
    return {
      count: Number(messages.at(-1)?.count),
      contains: Buffer.concat(messages.flatMap(({ documents }) => documents)).toString(),
    };
  },
  async describePointInTime(world, step) {
    const pointInTime = { uri: uriOf(world, step["uri"]), ...targetTime(step["targetTime"]) };
    const { before, after, versionsAfter } = await world.client.management.describePointInTime({
      pointInTime,
      count: 1,
    });
    return { before: before[0]?.selfLink, after: after[0]?.selfLink, count: Number(versionsAfter) };
  },
  async getActivity(world) {
    const { buckets } = await world.client.management.getActivity({ buckets: 1000 });
    return { count: buckets.reduce((sum, { created }) => sum + Number(created), 0) };
  },
  async checkDestination(world, step) {
    const { features } = await world.client.management.checkDestination({
      uri: uriOf(world, step["uri"]),
    });
    return { count: features.filter(({ enforced }) => enforced).length };
  },
  async pruneBackups(world, step) {
    const names = await oldestBackups(world, step);
    const { removedBackups, pinnedBackups } = await world.client.management.pruneBackups({
      uri: uriOf(world, step["uri"]),
      names,
    });
    return { count: removedBackups.length, pinned: pinnedBackups.length };
  },

  configureAutoBackup: async ({ client }, step) => ({
    enabled: (await client.management.configureAutoBackup({ enabled: step["enabled"] === true }))
      .enabled,
  }),
  configureRequestLogging: async ({ client }, step) => ({
    enabled: (
      await client.management.configureRequestLogging({ enabled: step["enabled"] === true })
    ).enabled,
  }),
  configureOperationTracing: async ({ client }, step) => ({
    enabled: (
      await client.management.configureOperationTracing({ enabled: step["enabled"] === true })
    ).enabled,
  }),
  synchronizeWithPeers: async ({ client }, step) => ({
    count: (
      await client.management.synchronizeWithPeers({ nodeSelectorPath: text(step["selector"]) })
    ).peers.length,
  }),
  getStats: async ({ client }, step) => ({
    count: (await client.management.getStats({})).stats.find(({ name }) => name === step["name"])
      ?.latestValue,
  }),

  async downloadBackup({ client, proxy, directory, kept }, step) {
    const to = join(directory, text(step["to"]));
    if (step["cutAfterBytes"]) proxy.cutAfter("down", Number(step["cutAfterBytes"]));
    const { backup } = await client.downloadBackup(to, { since: text(step["since"]) });
    if (step["keepManifest"]) kept.set(text(step["keepManifest"]), backup.manifestSha256);
    return { documents: Number(backup.documents), size: statSync(to).size };
  },
  async uploadRestore({ client, proxy, directory }, step) {
    if (step["cutAfterBytes"]) proxy.cutAfter("up", Number(step["cutAfterBytes"]));
    const { result } = await client.uploadRestore(join(directory, text(step["from"])), {
      baseSources: Array.isArray(step["baseSources"]) ? step["baseSources"] : [],
      keep: step["keep"] === true,
      ...(step["transfer"] !== undefined && {
        transferName: `transfers/${text(step["transfer"])}`,
      }),
    });
    return { documents: Number(result.documents) };
  },
  async getTransfer({ client }, step) {
    const { complete, direction } = await client.management.getTransfer({
      name: text(step["name"]),
    });
    return { complete, direction: TransferDirection[direction].replace("TRANSFER_DIRECTION_", "") };
  },
  listTransfers: async ({ client }) => ({
    contains: (await client.management.listTransfers({})).transfers.map(({ name }) => name),
  }),
  deleteTransfer: async ({ client }, step) =>
    void (await client.management.deleteTransfer({ name: text(step["name"]) })),
  async byteStreamRead({ client }, step) {
    const pieces = await collect(
      client.byteStream.read({
        resourceName: text(step["name"]),
        readOffset: BigInt(Number(step["offset"])),
        readLimit: BigInt(Number(step["limit"])),
      }),
    );
    return { bytes: pieces.reduce((sum, { data }) => sum + data.length, 0) };
  },
  async byteStreamWrite({ client }, step) {
    const data = Buffer.from(text(step["text"]));
    async function* messages() {
      yield { resourceName: text(step["name"]), writeOffset: 0n, finishWrite: true, data };
    }
    return { bytes: Number((await client.byteStream.write(messages())).committedSize) };
  },
  async queryWriteStatus({ client }, step) {
    const { committedSize, complete } = await client.byteStream.queryWriteStatus({
      resourceName: text(step["name"]),
    });
    return { bytes: Number(committedSize), complete };
  },

  getHost: async ({ client }) => ({
    documents: Number((await client.management.getHost({})).indexes[0]?.documents),
  }),
  waitOperation: async ({ client }, step) => ({
    done: (
      await client.operations.waitOperation({
        name: text(step["name"]),
        timeout: { seconds: 60n, nanos: 0 },
      })
    ).done,
  }),
  watchOperation: async ({ client }, step) => ({
    done: (await collect(client.management.watchOperation({ name: text(step["name"]) }))).at(-1)
      ?.done,
  }),
  getOperation: async ({ client }, step) => ({
    done: (await client.operations.getOperation({ name: text(step["name"]) })).done,
  }),
  cancelOperation: async ({ client }, step) =>
    void (await client.operations.cancelOperation({ name: text(step["name"]) })),
  listOperations: async ({ client }) => ({
    contains: (await client.operations.listOperations({})).operations.map(({ name }) => name),
  }),
  deleteOperation: async ({ client }, step) =>
    void (await client.operations.deleteOperation({ name: text(step["name"]) })),
  async health({ client }, step) {
    const { status } = await client.health.check({ service: text(step["service"]) });
    return { serving: status === HealthCheckResponse_ServingStatus.SERVING };
  },
};

import { join } from "node:path";
import type { Host, HostOptions } from "holdfast";
import { startReaders, startWriters, visitFactory, visitsAreConsistent } from "./background.js";
import {
  backUp,
  connections,
  forEach,
  openClient,
  readAll,
  restore,
  type Client,
} from "./client.js";
import { changesBetween, compareDocuments, type Difference } from "./compare.js";
import { featureFactory, featureKind, type Body, type Corpus } from "./corpus.js";
import { bytesOf, count, filesOf, rfc3339, seconds, size, timed } from "./show.js";

/** Input of the demo. */
export interface Story {
  createHost(options: HostOptions): Promise<Host>;
  /** Three versions of the data, the oldest first. */
  corpora: readonly [Corpus, Corpus, Corpus];
  /** An existing empty directory. */
  directory: string;
  say(line: string): void | Promise<void>;
}

/** Result of the demo. */
export interface Outcome {
  /** Descriptions of all problems; empty on success. */
  problems: string[];
  /** The last line of the output: what was compared, and the result. */
  line: string;
}

interface Running {
  host: Host;
  client: Client;
}

async function start({ createHost, directory }: Story, name: string): Promise<Running> {
  const durable = "/core/document-index";
  const host = await createHost({
    dataDirectory: join(directory, name),
    httpPort: 0,
    grpcPort: 0,
    factories: [
      { path: featureFactory, kind: featureKind, indexLink: durable },
      { path: visitFactory, kind: "org:mozilla:developer:Visit", indexLink: durable },
    ],
  });
  return { host, client: openClient(host.httpAddress) };
}

/** Updates the documents to another version. Returns the time of the last change in microseconds. */
async function update(
  client: Client,
  from: Corpus,
  to: Corpus,
  say: Story["say"],
): Promise<number> {
  const { created, changed, removed } = changesBetween(from.documents, to.documents);
  let lastMicros = 0;
  const track = (response: Body) => {
    lastMicros = Math.max(lastMicros, Number(response["documentUpdateTimeMicros"]));
  };
  const work = [
    ...created.map(
      ([documentSelfLink, body]) =>
        () =>
          client.request("POST", featureFactory, { ...body, documentSelfLink }),
    ),
    ...changed.map(
      ([link, body]) =>
        () =>
          client.request("PUT", link, body),
    ),
    ...removed.map((link) => () => client.request("DELETE", link)),
  ];
  const { ms } = await timed(() => forEach(work, async (send) => track(await send())));
  await say(
    `Changed to version ${to.version}: ${count(created.length)} created, ${count(changed.length)} replaced, ` +
      `${count(removed.length)} deleted, in ${seconds(ms)}`,
  );
  return lastMicros;
}

/** Makes an incremental backup and prints the new files. */
async function backUpChanges(client: Client, path: string, say: Story["say"]): Promise<void> {
  const before = new Set(filesOf(path).map(({ name }) => name));
  const { ms } = await timed(() => backUp(client, path, "DIRECTORY"));
  const added = filesOf(path).filter(({ name }) => !before.has(name));
  await say(
    `  incremental backup in ${seconds(ms)}: ${size(added.reduce((sum, { bytes }) => sum + bytes, 0))} in new files`,
  );
  for (const { name, bytes } of added) await say(`    ${name}  ${size(bytes)}`);
}

/** Makes both full backups during writes. Returns how many visits the ZIP must and may contain. */
async function backUpInUse(
  client: Client,
  oldest: Corpus,
  paths: { directory: string; zip: string },
  say: Story["say"],
) {
  const writers = startWriters(client, oldest.documents);
  const directoryRun = await timed(() => backUp(client, paths.directory, "DIRECTORY"));
  const atLeast = writers.now();
  const zipRun = await timed(() => backUp(client, paths.zip, "ZIP"));
  const atMost = writers.now();
  const { acknowledged, total, slowestMs } = await writers.stop();
  const last = acknowledged.reduce((sum, each) => sum + each, 0);
  await say(
    `Full backups during writes: ${count(total)} writes acknowledged, slowest ${slowestMs.toFixed(0)} ms`,
  );
  await say(`  directory in ${seconds(directoryRun.ms)}: ${size(bytesOf(paths.directory))}`);
  for (const { name, bytes } of filesOf(paths.directory)) await say(`    ${name}  ${size(bytes)}`);
  await say(`  ZIP in ${seconds(zipRun.ms)}: ${size(bytesOf(paths.zip))}`);
  return { atLeast, atMost, visits: last };
}

/** Deletes a quarter of the documents and overwrites another. Returns the unchanged links. */
async function destroy(client: Client, newest: Corpus, say: Story["say"]): Promise<string[]> {
  const links = [...newest.documents.keys()];
  const work = links.map((link, i) => ({ link, fate: i % 4 }));
  const { ms } = await timed(() =>
    forEach(work, async ({ link, fate }) => {
      if (fate === 0) await client.request("DELETE", link);
      if (fate === 1) await client.request("PUT", link, { note: "overwritten by mistake" });
    }),
  );
  const of = (fate: number) => count(work.filter((one) => one.fate === fate).length);
  await say(`Destroyed: ${of(0)} documents deleted, ${of(1)} overwritten, in ${seconds(ms)}`);
  return work.filter(({ fate }) => fate > 1).map(({ link }) => link);
}

/** Runs the demo. Collects all problems instead of stopping at the first one. */
export async function runStory(story: Story): Promise<Outcome> {
  const { corpora, directory, say } = story;
  const [oldest, middle, newest] = corpora;
  const problems: string[] = [];
  const paths = { directory: join(directory, "backup"), zip: join(directory, "backup.zip") };
  const compared: string[] = [];
  const compare = async (what: string, expected: Corpus, client: Client) => {
    const { value: found, ms } = await timed(() => readAll(client));
    const differences = compareDocuments(expected.documents, found);
    problems.push(...describeDifferences(what, differences));
    compared.push(
      `${count(expected.documents.size - differences.filter(({ problem }) => problem !== "extra").length)} of ${count(expected.documents.size)} documents as in ${expected.version}`,
    );
    await say(
      `  compared all ${count(found.size)} documents with version ${expected.version} in ${seconds(ms)}: ${count(differences.length)} differ`,
    );
  };
  const started: Running[] = [];
  const running = async (name: string) => {
    const one = await start(story, name);
    started.push(one);
    return one.client;
  };
  try {
    const first = await running("first-host");
    await say(
      `MDN browser compatibility data ${corpora.map((one) => `${one.version} (${count(one.documents.size)} features)`).join(", ")}`,
    );
    const loading = await timed(() =>
      forEach(
        oldest.documents,
        async ([documentSelfLink, body]) =>
          void (await first.request("POST", featureFactory, { ...body, documentSelfLink })),
      ),
    );
    const rate = Math.round(oldest.documents.size / (loading.ms / 1000));
    await say(
      `Loaded version ${oldest.version} over HTTP with ${connections} connections in ${seconds(loading.ms)}: ${count(rate)} durable documents/s`,
    );
    const inUse = await backUpInUse(first, oldest, paths, say);
    const targetMicros = await update(first, oldest, middle, say);
    await backUpChanges(first, paths.directory, say);
    await say(`Target time: ${rfc3339(targetMicros)}`);
    await update(first, middle, newest, say);
    await backUpChanges(first, paths.directory, say);
    const untouched = await destroy(first, newest, say);

    // Only documents that differ between the versions, so that each response identifies its state.
    const changedLinks = changesBetween(middle.documents, newest.documents).changed.map(
      ([link]) => link,
    );
    const unchanged = new Set(untouched);
    const readers = startReaders(
      first,
      changedLinks.filter((link) => unchanged.has(link)),
      newest.documents,
      middle.documents,
    );
    const { ms } = await timed(() => restore(first, paths.directory, targetMicros));
    const reads = await readers.stop();
    problems.push(
      ...reads.failed.slice(0, 10).map((failure) => `a read failed during the restore: ${failure}`),
    );
    if (reads.before === 0)
      problems.push("no read was served before the switch, so the online restore was not tested");
    await say(
      `Restored online to the target time in ${seconds(ms)}, while ${count(reads.total)} reads were served (${count(reads.failed.length)} failed, slowest ${reads.slowestMs.toFixed(0)} ms)`,
    );
    await compare("after the restore to the middle version", middle, first);
    const visits = await readAll(first, visitFactory);
    if (visits.size < inUse.visits)
      problems.push(
        `the restored index has ${visits.size} visits; ${inUse.visits} were acknowledged`,
      );

    const second = await running("second-host");
    const fresh = await timed(() => restore(second, paths.zip));
    await say(`Restored the ZIP into a second host in ${seconds(fresh.ms)}`);
    await compare("in the second host", oldest, second);
    const kept = await readAll(second, visitFactory);
    if (!visitsAreConsistent(kept, inUse.atLeast, inUse.atMost))
      problems.push("the visits in the ZIP are not from one point in time");
    await say(
      `  it contains the concurrent writes up to one point in time: ${count(kept.size)} of ${count(inUse.visits)} visits`,
    );
    const failed = reads.failed.length;
    const verdict = problems.length === 0 ? "OK" : "FAILED";
    return {
      problems,
      line: `${verdict}: ${compared.join(", ")}; ${count(failed)} of ${count(reads.total)} reads failed`,
    };
  } finally {
    for (const { host, client } of started) {
      client.close();
      await host.close();
    }
  }
}

function describeDifferences(what: string, differences: Difference[]): string[] {
  const some = differences
    .slice(0, 10)
    .map(
      ({ link, problem }) =>
        `${what}: ${link} ${problem === "differs" ? "differs" : `is ${problem}`}`,
    );
  return differences.length > some.length
    ? [...some, `${what}: and ${count(differences.length - some.length)} more`]
    : some;
}

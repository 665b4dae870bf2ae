import { openStaging } from "../../segment/staging.js";
import { join } from "node:path";
import type { ProofSum, Staging } from "../../engine/engine.js";
import { HostError } from "../../errors.js";
import { lockDirectory } from "../../io/directory-lock.js";
import { fromFileError } from "../../io/file-error.js";
import { errnoOf } from "../../io/file-system.js";
import type { Platform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import type { DocumentHost } from "./document-host.js";
import { makeArchive } from "./make-archive.js";
import { versionPages } from "./read-versions.js";
import {
  readTarget,
  restoreInto,
  sendArchive,
  type RestoreRequest,
  type TargetIndex,
} from "./target-host.js";

export interface ImportRequest {
  from: DocumentHost;
  to: DocumentHost;
  factories: readonly string[];
  allVersions: boolean;
  indexLink: string;
  /** Made if it is missing; what was copied is kept in it until it has arrived. */
  workDirectory: string;
  pageSize: number;
  /** Whether what the target's index holds may be put aside. */
  replace: boolean;
  productVersion: string;
}

export interface ImportProgress {
  step: "copying" | "packing" | "sending" | "restoring" | "proving";
  factory?: string;
  /** Versions copied or compared so far, or bytes sent. */
  done: number;
}

export interface ImportReport {
  documents: number;
  versions: number;
  movedTimes: number;
  factories: { path: string; source: ProofSum; target: ProofSum }[];
  /** Versions that are not the same on both sides, the first of them. */
  differences: { link: string; version: number }[];
}

/**
 * Copies documents of factories from a live Xenon with their links, versions, times and owners: fetched by pages in the
 * order of their times into a file, packed as a backup, restored by the target at one moment, and read again from both
 * sides. A run that was interrupted goes on where it was. Only an empty index is filled, or one that nobody but this
 * import has written to.
 */
export async function importFromXenon(
  platform: Platform,
  request: ImportRequest,
  signal: AbortSignal,
  report: (progress: ImportProgress) => void,
): Promise<ImportReport> {
  const { to, factories, indexLink, workDirectory } = request;
  // Without a run before this one nothing there can come from it: what is refused leaves nothing behind.
  if ((await platform.files.status(workDirectory)) === undefined) {
    checkReplaceable("{}", await readTarget(to, indexLink, factories, signal), request);
    await makeWorkDirectory(platform, workDirectory);
  }
  const lock = lockWork(workDirectory);
  let staging: Staging | undefined;
  try {
    staging = openStaging(join(workDirectory, "staging.sqlite"));
    return await run(platform, staging, request, signal, report);
  } finally {
    staging?.close();
    lock.release();
  }
}

async function run(
  platform: Platform,
  staging: Staging,
  request: ImportRequest,
  signal: AbortSignal,
  report: (progress: ImportProgress) => void,
): Promise<ImportReport> {
  const { from, to, factories, indexLink, workDirectory } = request;
  checkSame(staging, request);
  await finishRestore(staging, to, signal, report, true);
  const before = await readTarget(to, indexLink, factories, signal);
  checkReplaceable(staging.note("restored") ?? "{}", before, request);
  await copy(staging, request, signal, report);
  report({ step: "packing", done: 0 });
  const archive = await makeArchive(
    platform,
    {
      staging,
      directory: workDirectory,
      source: `xenon ${from.url}`,
      indexLink,
      productVersion: request.productVersion,
    },
    signal,
  );
  let sent = 0;
  const source = await sendArchive(platform, to, archive.path, signal, (count) =>
    report({ step: "sending", done: (sent += count) }),
  );
  const asked: PendingRestore = {
    source,
    indexLink,
    ifPositionMicros: before.positionMicros,
    requestId: platform.randomId(),
    positionMicros: archive.positionMicros,
  };
  // Before it is asked for: whoever is cut off from here on finds what the target made of it.
  staging.setNote("restoring", JSON.stringify(asked));
  await finishRestore(staging, to, signal, report);
  await platform.files.removeTree(archive.path);
  const { documents, versions, movedTimes } = archive;
  return { documents, versions, movedTimes, ...(await prove(staging, request, signal, report)) };
}

/** A restore that was asked for, and the position of the index that it makes. */
interface PendingRestore extends RestoreRequest {
  positionMicros: number;
}

/** Waits for the restore that this run, or an `earlier` one, has asked for, and notes what came of it. An earlier one that failed is forgotten. */
async function finishRestore(
  staging: Staging,
  to: DocumentHost,
  signal: AbortSignal,
  report: (progress: ImportProgress) => void,
  earlier = false,
): Promise<void> {
  const note = staging.note("restoring") ?? "";
  if (note === "") return;
  report({ step: "restoring", done: 0 });
  const { positionMicros, ...asked } = JSON.parse(note) as PendingRestore;
  try {
    const lineage = await restoreInto(to, asked, signal);
    staging.setNote("restored", JSON.stringify({ lineage, positionMicros }));
    staging.setNote("restoring", "");
  } catch (error) {
    // While nobody knows what became of it, it is asked for again.
    const unknown = signal.aborted || (error instanceof HostError && error.code === "UNAVAILABLE");
    if (!unknown) staging.setNote("restoring", "");
    if (unknown || !earlier) throw error;
  }
}

async function makeWorkDirectory(platform: Platform, path: string): Promise<void> {
  await platform.files.makeDirectory(path).catch((error: unknown) => {
    // Another import was faster: the lock tells them apart.
    if (errnoOf(error) !== "EEXIST")
      throw fromFileError(error, `Making the work directory ${path}`);
  });
}

/** One import at a time works in a directory. */
function lockWork(workDirectory: string): { release(): void } {
  try {
    return lockDirectory(join(workDirectory, "lock.sqlite"));
  } catch (thrown) {
    if (!(thrown instanceof HostError) || thrown.reason !== "DIRECTORY_IN_USE") throw thrown;
    throw new HostError(
      "DIRECTORY_IN_USE",
      `Another import works in ${workDirectory}. Wait for it to end, or name another directory with --work-dir.`,
      { cause: thrown },
    );
  }
}

/** What was begun with other words cannot be gone on with. */
function checkSame(
  staging: Staging,
  { from, factories, allVersions, indexLink, workDirectory }: ImportRequest,
): void {
  const wanted = JSON.stringify([from.url, [...factories].sort(), allVersions, indexLink]);
  const begun = staging.note("request");
  if (begun === undefined) staging.setNote("request", wanted);
  else if (begun !== wanted) {
    throw new HostError(
      "CONFIGURATION_INVALID",
      `${workDirectory} holds an import of something else (${begun}); name another directory with --work-dir, or remove this one.`,
    );
  }
}

function checkReplaceable(
  note: string,
  { lineage, positionMicros, versions }: TargetIndex,
  { to, indexLink, replace }: ImportRequest,
): void {
  if (versions === 0 || replace) return;
  const restored = JSON.parse(note) as { lineage?: string; positionMicros?: number };
  if (restored.lineage === lineage && restored.positionMicros === positionMicros) return;
  throw new HostError(
    "DESTINATION_OCCUPIED",
    `${indexLink} of ${to.url} holds ${versions} versions that do not come from this import, or was written to since. Import into a new host; or give --replace, which puts them aside (holdfast can undo that as it undoes a restore).`,
  );
}

async function copy(
  staging: Staging,
  request: ImportRequest,
  signal: AbortSignal,
  report: (progress: ImportProgress) => void,
): Promise<void> {
  for (const factory of request.factories) {
    // A host in use goes on writing: each round fetches what the one before could not know.
    for (let round = 1, taken = 1; taken > 0; round += 1) {
      if (round > limits.importRounds) {
        throw new HostError(
          "SOURCE_CHANGED",
          `${request.from.url} wrote to ${factory} faster than it could be copied, in ${limits.importRounds} rounds; stop its writers, and run the import again: it goes on from here.`,
        );
      }
      taken = await copyRound(staging, factory, request, signal, report);
    }
  }
}

async function copyRound(
  staging: Staging,
  factory: string,
  request: ImportRequest,
  signal: AbortSignal,
  report: (progress: ImportProgress) => void,
): Promise<number> {
  const { from, indexLink, allVersions, pageSize } = request;
  const checkpoint = `checkpoint ${factory}`;
  const reached = Number(staging.note(checkpoint) ?? "0");
  const fromMicros = Math.max(0, reached - limits.importOverlapMicros);
  let taken = 0;
  let last = reached;
  for await (const versions of versionPages(
    from,
    { factoryPath: factory, indexLink, allVersions, includeDeleted: true, fromMicros, pageSize },
    signal,
  )) {
    const fresh = staging.add(versions, !allVersions);
    taken += fresh;
    last = Math.max(last, versions.at(-1)?.updateTimeMicros ?? 0);
    // Behind what it stands for: a run that ends in between fetches a page twice.
    if (versions.length > 0) staging.setNote(checkpoint, String(last));
    report({ step: "copying", factory, done: staging.count(`${factory}/`) });
  }
  return taken;
}

/** Reads both sides again, each as it is now, and compares version by version. */
async function prove(
  staging: Staging,
  request: ImportRequest,
  signal: AbortSignal,
  report: (progress: ImportProgress) => void,
): Promise<Pick<ImportReport, "factories" | "differences">> {
  const { proof } = staging;
  proof.clear();
  const sides = { source: request.from, target: request.to };
  for (const [side, host] of Object.entries(sides)) {
    for (const factory of request.factories) {
      let done = 0;
      const query = {
        factoryPath: factory,
        indexLink: request.indexLink,
        allVersions: request.allVersions,
        includeDeleted: request.allVersions,
        pageSize: request.pageSize,
      };
      for await (const versions of versionPages(host, query, signal)) {
        proof.add(side, versions);
        report({ step: "proving", factory, done: (done += versions.length) });
      }
    }
  }
  const factories = request.factories.map((path) => ({
    path,
    source: proof.sum("source", `${path}/`),
    target: proof.sum("target", `${path}/`),
  }));
  return { factories, differences: proof.differences("source", "target", 10) };
}

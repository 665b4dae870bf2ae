import { Staging } from "../../segment/staging.js";
import { join } from "node:path";
import type { ProofSum } from "../../segment/proof.js";
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

/** Options of an import. */
export interface ImportRequest {
  from: DocumentHost;
  to: DocumentHost;
  factories: readonly string[];
  allVersions: boolean;
  indexLink: string;
  /** Holds the copied data until the import completes; created if missing. */
  workDirectory: string;
  pageSize: number;
  /** Whether existing data of the target index may be replaced. */
  replace: boolean;
  productVersion: string;
}

/** Progress of an import. */
export interface ImportProgress {
  step: "copying" | "packing" | "sending" | "restoring" | "proving";
  factory?: string;
  /** Versions copied or compared, or bytes sent so far. */
  done: number;
}

/** Result of an import. */
export interface ImportReport {
  documents: number;
  versions: number;
  movedTimes: number;
  factories: { path: string; source: ProofSum; target: ProofSum }[];
  /** The first versions that differ between source and target. */
  differences: { link: string; version: number }[];
}

/**
 * Copies the documents of factories from a live Xenon host, with links, versions, times and owners.
 * The versions are fetched in pages ordered by time into a staging file, packed as a backup,
 * restored atomically on the target, and finally compared on both sides. An interrupted import can
 * be resumed. The target index must be empty, or written only by this import.
 */
export async function importFromXenon(
  platform: Platform,
  request: ImportRequest,
  signal: AbortSignal,
  report: (progress: ImportProgress) => void,
): Promise<ImportReport> {
  const { to, factories, indexLink, workDirectory } = request;
  // Checked before the directory is created, so that a rejected first run leaves nothing behind.
  if ((await platform.files.status(workDirectory)) === undefined) {
    checkReplaceable("{}", await readTarget(to, indexLink, factories, signal), request);
    await makeWorkDirectory(platform, workDirectory);
  }
  const lock = lockWork(workDirectory);
  let staging: Staging | undefined;
  try {
    staging = new Staging(join(workDirectory, "staging.sqlite"));
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
  const pending: PendingRestore = {
    source,
    indexLink,
    ifPositionMicros: before.positionMicros,
    requestId: platform.randomId(),
    positionMicros: archive.positionMicros,
  };
  // Recorded before the request, so that a resumed run finds the outcome of the restore.
  staging.setNote("restoring", JSON.stringify(pending));
  await finishRestore(staging, to, signal, report);
  await platform.files.removeTree(archive.path);
  const { documents, versions, movedTimes } = archive;
  return { documents, versions, movedTimes, ...(await compare(staging, request, signal, report)) };
}

/** A requested restore, and the position of the index after it. */
interface PendingRestore extends RestoreRequest {
  positionMicros: number;
}

/**
 * Waits for the pending restore of this or an `earlier` run and records its outcome. A failed
 * restore of an earlier run is discarded.
 */
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
  const { positionMicros, ...pending } = JSON.parse(note) as PendingRestore;
  try {
    const lineage = await restoreInto(to, pending, signal);
    staging.setNote("restored", JSON.stringify({ lineage, positionMicros }));
    staging.setNote("restoring", "");
  } catch (error) {
    // While the outcome is unknown, the restore stays pending and is requested again.
    const unknown = signal.aborted || (error instanceof HostError && error.code === "UNAVAILABLE");
    if (!unknown) staging.setNote("restoring", "");
    if (unknown || !earlier) throw error;
  }
}

async function makeWorkDirectory(platform: Platform, path: string): Promise<void> {
  await platform.files.makeDirectory(path).catch((error: unknown) => {
    // Created by a concurrent import; the lock decides which one continues.
    if (errnoOf(error) !== "EEXIST") throw fromFileError(error, `Creating work directory ${path}`);
  });
}

/** Locks the directory against concurrent imports. */
function lockWork(workDirectory: string): { release(): void } {
  try {
    return lockDirectory(join(workDirectory, "lock.sqlite"));
  } catch (thrown) {
    if (!(thrown instanceof HostError) || thrown.reason !== "DIRECTORY_IN_USE") throw thrown;
    throw new HostError(
      "DIRECTORY_IN_USE",
      `Another import is using ${workDirectory}. Wait for it to finish, or choose another directory with --work-dir.`,
      { cause: thrown },
    );
  }
}

/** Throws if the directory belongs to an import with other parameters. */
function checkSame(
  staging: Staging,
  { from, factories, allVersions, indexLink, workDirectory }: ImportRequest,
): void {
  const parameters = JSON.stringify([from.url, [...factories].sort(), allVersions, indexLink]);
  const existing = staging.note("request");
  if (existing === undefined) staging.setNote("request", parameters);
  else if (existing !== parameters) {
    throw new HostError(
      "CONFIGURATION_INVALID",
      `${workDirectory} contains an import with other parameters (${existing}). Choose another directory with --work-dir, or remove this one.`,
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
    `${indexLink} of ${to.url} contains ${versions} versions that are not from this import, or was modified since. Import into a new host, or pass --replace to replace them; that can be undone with: holdfast undo.`,
  );
}

async function copy(
  staging: Staging,
  request: ImportRequest,
  signal: AbortSignal,
  report: (progress: ImportProgress) => void,
): Promise<void> {
  for (const factory of request.factories) {
    // The host may be in use: each round fetches what was written during the previous one.
    for (let round = 1, taken = 1; taken > 0; round += 1) {
      if (round > limits.importRounds) {
        throw new HostError(
          "SOURCE_CHANGED",
          `${request.from.url} wrote to ${factory} faster than it could be copied, for ${limits.importRounds} rounds. Stop its writers and run the import again; it resumes from here.`,
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
    // Recorded after the versions, so that an interrupted run fetches a page again rather than skip
    // it.
    if (versions.length > 0) staging.setNote(checkpoint, String(last));
    report({ step: "copying", factory, done: staging.count(`${factory}/`) });
  }
  return taken;
}

/** Reads both sides in their current state and compares them version by version. */
async function compare(
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

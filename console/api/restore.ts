import type { OperationJson } from "../../gen/ts/google/longrunning/operations_pb.js";
import type {
  BackupResultJson,
  RestoreRequestJson,
  RestoreResultJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { localSecond } from "../text/format.js";
import { pinBackup } from "./backups.js";
import { follow } from "./follow.js";
import { restoreResultOf, startBackup, startRestore } from "./host.js";
import { ApiError } from "./request.js";

/** What is to be restored. */
export interface WantedRestore {
  /** URI of the backups. */
  source: string;
  indexLink: string;
  timeMicros: number;
  /** Beginning of the links; empty: the whole index. */
  prefix: string;
}

/** What a restore did, or would do. */
export interface Restored {
  isTrial: boolean;
  /** Absent: the backups do not reach the time; the one that a restore makes first will. */
  result?: RestoreResultJson;
  tookMicros: number;
}

type Report = (what: string, operation?: OperationJson) => void;

/** Backs up what is there now, and pins that; then restores. */
export async function restore(wanted: WantedRestore, report: Report): Promise<Restored> {
  const { source, indexLink, timeMicros } = wanted;
  const begun = performance.now();
  const what = "Backing up what is there now";
  report(what);
  // The log of the live index is what a restore to any moment needs; and nothing is lost with it.
  const started = await startBackup({
    destination: source,
    container: "CONTAINER_DIRECTORY",
    indexLink,
  }).catch(explain);
  const saved = await follow(started, (operation) => report(what, operation)).catch(explain);
  await pin(saved, source, timeMicros);
  const running = await startRestore(requestOf(wanted, false));
  const done = await follow(running, (operation) => report("Restoring", operation));
  return {
    isTrial: false,
    result: restoreResultOf(done),
    tookMicros: (performance.now() - begun) * 1000,
  };
}

/** Says what a restore would do, and changes nothing anywhere: no backup is made. */
export async function tryRestore(wanted: WantedRestore, report: Report): Promise<Restored> {
  const begun = performance.now();
  const what = "Checking the restore";
  report(what);
  const answer = { isTrial: true, tookMicros: (performance.now() - begun) * 1000 };
  try {
    const started = await startRestore(requestOf(wanted, true));
    const done = await follow(started, (operation) => report(what, operation));
    return { ...answer, result: restoreResultOf(done) };
  } catch (error) {
    if (error instanceof ApiError && notThereYet.has(error.reason)) return answer;
    throw error;
  }
}

/** Why existing backups cannot be restored to a time that the next one can. */
const notThereYet = new Set(["TARGET_TIME_OUT_OF_RANGE", "BACKUP_NOT_FOUND"]);

const requestOf = (
  { source, indexLink, timeMicros, prefix }: WantedRestore,
  validateOnly: boolean,
): RestoreRequestJson => ({
  source,
  indexLink,
  targetTimeMicros: String(timeMicros),
  validateOnly,
  ...(prefix !== "" && { selection: { prefixes: [prefix] } }),
});

function explain(error: unknown): never {
  throw new Error(
    `What is there now could not be backed up, so nothing was restored: ${(error as Error).message} Another destination may do.`,
  );
}

/** So that no retention removes it. A destination that cannot keep pins does not remove backups by itself. */
async function pin(saved: OperationJson, uri: string, timeMicros: number): Promise<void> {
  const { backup } = (saved.response ?? {}) as BackupResultJson;
  const reason = `before the restore to ${localSecond(timeMicros)}`;
  await pinBackup({ uri, backupName: backup?.name ?? "", reason }).catch((error: unknown) => {
    if (!(error instanceof ApiError && error.reason === "NOT_SUPPORTED")) throw error;
  });
}

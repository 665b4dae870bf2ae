import { create } from "@bufbuild/protobuf";
import { BackupState, Container, ListBackupsResponseSchema, VerifyLevel, type ListedBackup } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { withFilesOrHost } from "../connect/session.js";
import type { HostFlags } from "../flags.js";
import { listAllBackups } from "../list-backups.js";
import { age, bytes, number, span } from "../output/figures.js";
import { table } from "../output/table.js";
import { placeUri, showPlace } from "../place.js";
import type { Run } from "../run.js";
import { nowMicros } from "../time.js";

export interface ListFlags extends HostFlags {
  recursive: boolean;
  digests?: boolean;
  strict?: boolean;
}

const damaged = 65;

/** holdfast list: exits 0 whatever it finds; with --strict 65 where a backup is damaged. */
export async function list(run: Run, flags: ListFlags, root = ""): Promise<number> {
  const uri = placeUri(root);
  return withFilesOrHost(run, flags, async (session) => {
    const recursive = flags.recursive && uri.startsWith("file:");
    const backups = await listAllBackups(session, { uri, recursive, checkDigests: flags.digests ?? false }, run.stops.signal);
    await run.finish(ListBackupsResponseSchema, create(ListBackupsResponseSchema, { backups }), () => listText(backups, uri));
    return flags.strict && backups.some(({ state }) => state === BackupState.DAMAGED) ? damaged : 0;
  });
}

const states: Record<BackupState, string> = {
  [BackupState.UNSPECIFIED]: "unknown",
  [BackupState.COMPLETE]: "complete",
  [BackupState.DAMAGED]: "DAMAGED",
  [BackupState.INCOMPLETE]: "incomplete",
  [BackupState.FOREIGN]: "foreign",
};

const types: Record<Container, string> = { [Container.UNSPECIFIED]: "", [Container.ZIP]: "zip", [Container.DIRECTORY]: "directory", [Container.STREAM]: "stream" };

function listText(backups: ListedBackup[], uri: string): string {
  if (backups.length === 0) return `There is no backup below ${showPlace(uri)}.`;
  const now = nowMicros();
  const columns = [
    { head: "STATE" }, { head: "AGE" }, { head: "TYPE" }, { head: "INDEX" }, { head: "DOCUMENTS", right: true }, { head: "SIZE", right: true }, { head: "WINDOW" }, { head: "CHECKED" }, { head: "WHERE" },
  ];
  const rows = backups.map((one) => [states[one.state], ageOf(one, now), types[one.backup?.container ?? Container.UNSPECIFIED], one.backup?.indexLink ?? "", one.backup ? number(one.backup.documents) : "", one.backup ? bytes(one.backup.sizeBytes) : "", windowOf(one), checked(one, now), whereOf(one)]);
  const problems = backups.filter(({ problem }) => problem !== "").map((one) => `${whereOf(one)}: ${one.problem}`);
  return [table(columns, rows), ...(problems.length > 0 ? ["", ...problems] : [])].join("\n");
}

function ageOf({ backup, modifiedMicros }: ListedBackup, now: bigint): string {
  const time = backup?.createTimeMicros ?? modifiedMicros;
  return time === 0n ? "" : age(time, now);
}

function windowOf({ backup }: ListedBackup): string {
  const window = backup?.window;
  return window ? span(window.latestMicros - window.earliestMicros) : "";
}

function checked({ lastVerification }: ListedBackup, now: bigint): string {
  if (!lastVerification) return "never";
  return `${lastVerification.passed ? "good" : "BAD"}, ${VerifyLevel[lastVerification.level].toLowerCase()}, ${age(lastVerification.timeMicros, now)}`;
}

function whereOf({ uri, name, backup }: ListedBackup): string {
  const where = showPlace(uri || backup?.uri || "");
  return where === "" || where.endsWith(`/${name}`) ? where || name : `${where} ${name}`;
}

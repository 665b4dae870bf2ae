import { BackupDescriptionSchema, Container, SegmentKind, type BackupDescription, type ListedBackup } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Inspected } from "../../offline-inspect.js";
import { namesHost } from "../connect/names-host.js";
import type { HostFlags } from "../flags.js";
import { listAllBackups } from "../list-backups.js";
import { age, bytes, count, moment, number, span } from "../output/figures.js";
import { list, table } from "../output/table.js";
import { placeUri, showPlace } from "../place.js";
import type { Run } from "../run.js";
import { formatTime, nowMicros } from "../time.js";

export interface InspectFlags extends HostFlags {
  backup?: string;
}

/** holdfast inspect: what a backup holds, by its manifest alone. */
export async function inspect(run: Run, flags: InspectFlags, source = ""): Promise<void> {
  const uri = placeUri(source);
  const { backup, listed } = uri.startsWith("file:") && !namesHost(flags, process.env) ? await inspectHere(run, flags, uri) : await inspectByServices(run, flags, uri);
  await run.finish(BackupDescriptionSchema, backup, () => [describe(backup), segments(backup), tree(backup, listed)].join("\n\n"));
}

async function inspectHere(run: Run, flags: InspectFlags, uri: string): Promise<Inspected> {
  const { inspectFile } = await import("../../offline-inspect.js");
  return inspectFile(uri, flags.backup, run.stops.signal);
}

async function inspectByServices(run: Run, flags: InspectFlags, uri: string): Promise<Inspected> {
  const { withFilesOrHost } = await import("../connect/session.js");
  return withFilesOrHost(run, flags, async (session) => {
    const { signal } = run.stops;
    const backup = await session.management.describeBackup({ uri, backupName: flags.backup ?? "" }, { signal });
    return { backup, listed: backup.container === Container.DIRECTORY && !run.json ? await listAllBackups(session, { uri }, signal) : [] };
  });
}

function describe(backup: BackupDescription): string {
  const { window } = backup;
  const pairs: [string, string][] = [
    ["backup", backup.name],
    ["at", showPlace(backup.uri)],
    ["made", `${age(backup.createTimeMicros, nowMicros())}, ${moment(backup.createTimeMicros)}`],
    ["by", `Holdfast ${backup.productVersion} on ${backup.hostId}`],
    ["index", `${backup.indexLink} (${backup.indexId})`],
    ["holds", `${count(backup.documents, "document")} with ${count(backup.versions, "version")}, ${bytes(backup.sizeBytes)}`],
    ["all until", moment(backup.positionMicros)],
  ];
  if (window) {
    pairs.push(["restorable from", moment(window.earliestMicros)], ["restorable to", `${moment(window.latestMicros)}: ${span(window.latestMicros - window.earliestMicros)}`]);
    if (window.boundingLink !== "") pairs.push(["bounded by", `pruned versions of ${window.boundingLink}`]);
    if (window.historyStartMicros > 0n) pairs.push(["history began", moment(window.historyStartMicros)]);
  }
  pairs.push(["manifest", `sha256 ${backup.manifestSha256}`]);
  return list(pairs);
}

const kinds: Record<SegmentKind, string> = { [SegmentKind.UNSPECIFIED]: "", [SegmentKind.BASE]: "base", [SegmentKind.DELTA]: "delta" };

function segments({ segments }: BackupDescription): string {
  const columns = [{ head: "SEGMENT" }, { head: "KIND" }, { head: "RECORDS", right: true }, { head: "SIZE", right: true }, { head: "AFTER" }, { head: "UNTIL" }];
  const time = (micros: bigint) => (micros === 0n ? "the beginning" : formatTime(micros));
  return table(columns, segments.map((one) => [one.name, kinds[one.kind], number(one.records), bytes(one.sizeBytes), time(one.firstMicros), time(one.lastMicros)]));
}

/** The histories at the place, with the backups of each; the one looked at with its chain. */
function tree(backup: BackupDescription, others: ListedBackup[]): string {
  const found = others.flatMap((one) => (one.backup ? [one.backup] : []));
  const all = found.some(({ name }) => name === backup.name) ? found : [backup, ...found];
  const lineages = [...new Set([backup.lineage, ...all.map(({ lineage }) => lineage)])];
  return lineages.flatMap((lineage) => [`lineage ${lineage}`, ...all.filter((one) => one.lineage === lineage).flatMap((one) => branch(one, one.name === backup.name))]).join("\n");
}

function branch(backup: BackupDescription, open: boolean): string[] {
  const line = `  ${open ? "*" : "-"} ${backup.name}, until ${formatTime(backup.positionMicros)}`;
  return open ? [line, ...backup.segments.map((one, depth) => `    ${"  ".repeat(Math.min(depth, 8))}└ ${kinds[one.kind]} of ${count(one.records, "record")}`)] : [line];
}

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

/** The histories that the backups at the place belong to or go on from, each below the one that it was restored from; the backup looked at with its chain. */
function tree(backup: BackupDescription, others: ListedBackup[]): string {
  const found = others.flatMap((one) => (one.backup ? [one.backup] : []));
  const all = found.some(({ name }) => name === backup.name) ? found : [backup, ...found];
  const lineages = new Map<string, { parent?: string; fromMicros: bigint }>();
  for (const { lineage, parents } of all) {
    const line = [...parents, { lineage }];
    for (const [i, one] of line.entries()) {
      const before = parents[i - 1];
      lineages.set(one.lineage, before ? { parent: before.lineage, fromMicros: before.positionMicros } : { fromMicros: 0n });
    }
  }
  const branch = (lineage: string, depth: number): string[] => {
    const indent = "  ".repeat(Math.min(depth, maxDepth));
    const { parent, fromMicros } = lineages.get(lineage) ?? { fromMicros: 0n };
    const children = [...lineages].filter(([, one]) => one.parent === lineage).map(([name]) => name);
    return [
      `${indent}lineage ${lineage}${parent === undefined ? "" : `, restored from the one above as of ${formatTime(fromMicros)}`}`,
      ...all.filter((one) => one.lineage === lineage).flatMap((one) => leaf(one, one.name === backup.name, indent)),
      ...children.flatMap((child) => branch(child, depth + 1)),
    ];
  };
  return [...lineages].filter(([, { parent }]) => parent === undefined).flatMap(([root]) => branch(root, 0)).join("\n");
}

/** What is deeper is not moved further to the right. */
const maxDepth = 8;

function leaf(backup: BackupDescription, open: boolean, indent: string): string[] {
  const line = `${indent}  ${open ? "*" : "-"} ${backup.name}, until ${formatTime(backup.positionMicros)}`;
  return open ? [line, ...backup.segments.map((one, depth) => `${indent}    ${"  ".repeat(Math.min(depth, maxDepth))}└ ${kinds[one.kind]} of ${count(one.records, "record")}`)] : [line];
}

import type { BackupDescription } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { isHostSelected } from "../connect/host-selection.js";
import type { HostFlags } from "../flags.js";
import { listAllBackups } from "../list-backups.js";
import {
  formatAge,
  formatBytes,
  count,
  moment,
  formatNumber,
  formatDuration,
} from "../output/format.js";
import { printable } from "../output/printable.js";
import { list, table } from "../output/table.js";
import { toUri, displayUri } from "../destination-uri.js";
import type { CommandContext } from "../command-context.js";
import type { BackupView as Shown } from "../backup-view.js";
import { formatTime, nowMicros } from "../time.js";

export interface InspectFlags extends HostFlags {
  backup?: string;
}

/** holdfast inspect: what a backup holds, by its manifest alone. */
export async function inspect(
  context: CommandContext,
  flags: InspectFlags,
  source = "",
): Promise<void> {
  const uri = toUri(source);
  const here = uri.startsWith("file:") && !isHostSelected(flags, process.env);
  await (here ? inspectHere(context, flags, uri) : inspectByServices(context, flags, uri));
}

async function inspectHere(
  context: CommandContext,
  flags: InspectFlags,
  uri: string,
): Promise<void> {
  const { inspectFile } = await import("../../offline/inspect.js");
  const { backup, listed } = await inspectFile(uri, flags.backup, context.abort.signal);
  if (context.json)
    await finishWith(context, (await import("../../offline/messages.js")).backupMessage(backup));
  else if (!context.quiet)
    await context.printText(
      text(
        backup,
        listed.flatMap((one) => one.backup ?? []),
      ),
    );
}

async function inspectByServices(
  context: CommandContext,
  flags: InspectFlags,
  uri: string,
): Promise<void> {
  const [{ withFilesOrHost }, { Container }] = await Promise.all([
    import("../connect/session.js"),
    import("../../../gen/ts/holdfast/management/v1/management_pb.js"),
  ]);
  await withFilesOrHost(context, flags, async (session) => {
    const { signal } = context.abort;
    const backup = await session.management.describeBackup(
      { uri, backupName: flags.backup ?? "" },
      { signal },
    );
    const listed =
      backup.container === Container.DIRECTORY && !context.json
        ? await listAllBackups(session, { uri }, signal)
        : [];
    await finishWith(
      context,
      backup,
      listed.flatMap((one) => one.backup ?? []),
    );
  });
}

async function finishWith(
  context: CommandContext,
  backup: BackupDescription,
  others: BackupDescription[] = [],
): Promise<void> {
  const [{ BackupDescriptionSchema }, { toBackupView: shownBackup }] = await Promise.all([
    import("../../../gen/ts/holdfast/management/v1/management_pb.js"),
    import("../backup-view.js"),
  ]);
  await context.printResult(BackupDescriptionSchema, backup, () =>
    text(shownBackup(backup), others.map(shownBackup)),
  );
}

const text = (backup: Shown, others: Shown[]) =>
  [describe(backup), segments(backup), tree(backup, others)].join("\n\n");

const at = (micros: number) => formatTime(BigInt(micros));
const exactly = (micros: number) => moment(BigInt(micros));

function describe(backup: Shown): string {
  const { window } = backup;
  const pairs: [string, string][] = [
    ["backup", backup.name],
    ["at", displayUri(backup.uri)],
    [
      "made",
      `${formatAge(BigInt(backup.createTimeMicros), nowMicros())}, ${exactly(backup.createTimeMicros)}`,
    ],
    ["by", `Holdfast ${backup.productVersion} on ${backup.hostId}`],
    ["index", `${backup.indexLink} (${backup.indexId})`],
    [
      "holds",
      `${count(backup.documents, "document")} with ${count(backup.versions, "version")}, ${formatBytes(backup.sizeBytes)}`,
    ],
    ["all until", exactly(backup.positionMicros)],
    ["restorable from", exactly(window.earliestMicros)],
    [
      "restorable to",
      `${exactly(window.latestMicros)}: ${formatDuration(window.latestMicros - window.earliestMicros)}`,
    ],
  ];
  if (window.boundingLink !== undefined)
    pairs.push(["bounded by", `pruned versions of ${window.boundingLink}`]);
  if (window.historyStartMicros > 0)
    pairs.push(["history began", exactly(window.historyStartMicros)]);
  pairs.push(["manifest", `sha256 ${backup.manifestSha256}`]);
  return list(pairs);
}

function segments({ segments }: Shown): string {
  const columns = [
    { head: "SEGMENT" },
    { head: "KIND" },
    { head: "RECORDS", right: true },
    { head: "SIZE", right: true },
    { head: "AFTER" },
    { head: "UNTIL" },
  ];
  const time = (micros: number) => (micros === 0 ? "the beginning" : at(micros));
  return table(
    columns,
    segments.map((one) => [
      one.name,
      one.kind,
      formatNumber(one.records),
      formatBytes(one.sizeBytes),
      time(one.firstMicros),
      time(one.lastMicros),
    ]),
  );
}

/** The histories that the backups at the place belong to or go on from, each below the one that it was restored from; the backup looked at with its chain. */
function tree(backup: Shown, found: Shown[]): string {
  const all = found.some(({ name }) => name === backup.name) ? found : [backup, ...found];
  const lineages = new Map<string, { parent?: string; fromMicros: number }>();
  for (const { lineage, parents } of all) {
    // Of some nothing was taken over: they were live when another history took their place.
    const taken = parents.filter(({ positionMicros }) => positionMicros > 0);
    const line = [...taken, { lineage }];
    for (const [i, one] of line.entries()) {
      const before = taken[i - 1];
      lineages.set(
        one.lineage,
        before ? { parent: before.lineage, fromMicros: before.positionMicros } : { fromMicros: 0 },
      );
    }
  }
  const branch = (lineage: string, depth: number): string[] => {
    const indent = "  ".repeat(Math.min(depth, maxDepth));
    const { parent, fromMicros } = lineages.get(lineage) ?? { fromMicros: 0 };
    const children = [...lineages]
      .filter(([, one]) => one.parent === lineage)
      .map(([name]) => name);
    return [
      `${indent}lineage ${printable(lineage)}${parent === undefined ? "" : `, restored from the one above as of ${at(fromMicros)}`}`,
      ...all
        .filter((one) => one.lineage === lineage)
        .flatMap((one) => leaf(one, one.name === backup.name, indent)),
      ...children.flatMap((child) => branch(child, depth + 1)),
    ];
  };
  return [...lineages]
    .filter(([, { parent }]) => parent === undefined)
    .flatMap(([root]) => branch(root, 0))
    .join("\n");
}

/** What is deeper is not moved further to the right. */
const maxDepth = 8;

function leaf(backup: Shown, open: boolean, indent: string): string[] {
  const line = `${indent}  ${open ? "*" : "-"} ${printable(backup.name)}, until ${at(backup.positionMicros)}`;
  return open
    ? [
        line,
        ...backup.segments.map(
          (one, depth) =>
            `${indent}    ${"  ".repeat(Math.min(depth, maxDepth))}└ ${one.kind} of ${count(one.records, "record")}`,
        ),
      ]
    : [line];
}

import type { BackupDescription } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { isHostSelected } from "../connect/host-selection.js";
import type { HostFlags } from "../flags.js";
import { listAllBackups } from "../list-backups.js";
import {
  formatAge,
  formatBytes,
  formatCount,
  formatNumber,
  formatDuration,
} from "../output/format.js";
import { printable } from "../output/printable.js";
import { list, table } from "../output/table.js";
import { displayUri, toUri } from "../destination-uri.js";
import { readDecryption, type DecryptionFlags } from "../keys.js";
import type { CommandContext } from "../command-context.js";
import type { BackupView } from "../backup-view.js";
import { nowMicros } from "../time.js";

/** Flags of holdfast inspect. */
export interface InspectFlags extends HostFlags, DecryptionFlags {
  backup?: string;
}

/** Implements holdfast inspect, which reads only manifests. */
export async function inspect(
  context: CommandContext,
  flags: InspectFlags,
  source = "",
): Promise<void> {
  const uri = toUri(source);
  const { identity, passphrase, passphraseFile, trustedSigners } = flags;
  const hasKey = (identity ?? passphrase ?? passphraseFile ?? trustedSigners) !== undefined;
  const isLocal = uri.startsWith("file:") && !hasKey && !isHostSelected(flags, process.env);
  await (isLocal ? inspectLocally(context, flags, uri) : inspectByServices(context, flags, uri));
}

async function inspectLocally(
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
      resultText(
        context,
        backup,
        listed.flatMap((entry) => entry.backup ?? []),
      ),
    );
}

async function inspectByServices(
  context: CommandContext,
  flags: InspectFlags,
  uri: string,
): Promise<void> {
  const [{ withFilesOrHost }, { BackupState, Container }] = await Promise.all([
    import("../connect/session.js"),
    import("../../../gen/ts/holdfast/management/v1/management_pb.js"),
  ]);
  const decryption = await readDecryption(context, flags);
  await withFilesOrHost(context, flags, async (session) => {
    const { signal } = context.abort;
    const backup = await session.management.describeBackup(
      { uri, backupName: flags.backup ?? "", ...decryption },
      { signal },
    );
    const listed =
      backup.container === Container.DIRECTORY && !context.json
        ? await listAllBackups(session, { uri }, signal)
        : [];
    const untrusted = listed.filter(({ state }) => state === BackupState.UNTRUSTED).length;
    if (flags.backup === undefined && untrusted > 0)
      context.printNote(
        `Warning: ${displayUri(uri)} contains ${formatCount(untrusted, "backup")} without the signature of a trusted signer, which may be newer. See holdfast list.`,
      );
    await finishWith(
      context,
      backup,
      listed.flatMap((entry) => entry.backup ?? []),
    );
  });
}

async function finishWith(
  context: CommandContext,
  backup: BackupDescription,
  others: BackupDescription[] = [],
): Promise<void> {
  const [{ BackupDescriptionSchema }, { toBackupView }] = await Promise.all([
    import("../../../gen/ts/holdfast/management/v1/management_pb.js"),
    import("../backup-view.js"),
  ]);
  await context.printResult(BackupDescriptionSchema, backup, () =>
    resultText(context, toBackupView(backup), others.map(toBackupView)),
  );
}

/** Formats a time of a manifest, which is a number rather than a bigint. */
type TimeFormat = (micros: number) => string;

function resultText(context: CommandContext, backup: BackupView, others: BackupView[]): string {
  const time: TimeFormat = (micros) => context.formatTime(BigInt(micros));
  return [
    describe(backup, time),
    segmentTable(backup, time),
    lineageTree(backup, others, time),
  ].join("\n\n");
}

function describe(backup: BackupView, time: TimeFormat): string {
  const { window } = backup;
  const pairs: [string, string][] = [
    ["backup", backup.name],
    ["location", displayUri(backup.uri)],
    [
      "created",
      `${time(backup.createTimeMicros)}, ${formatAge(BigInt(backup.createTimeMicros), nowMicros())}`,
    ],
    ["created by", `Holdfast ${backup.productVersion} on ${backup.hostId}`],
    ["index", `${backup.indexLink} (${backup.indexId})`],
    [
      "contents",
      `${formatCount(backup.documents, "document")} with ${formatCount(backup.versions, "version")}, ${formatBytes(backup.sizeBytes)}`,
    ],
    ["covers writes up to", time(backup.positionMicros)],
    ["restorable from", time(window.earliestMicros)],
    [
      "restorable to",
      `${time(window.latestMicros)} (${formatDuration(window.latestMicros - window.earliestMicros)})`,
    ],
  ];
  if (backup.encryption !== undefined)
    pairs.push(["encrypted", encryptionText(backup, backup.encryption.recipients)]);
  if (window.boundingLink !== undefined)
    pairs.push(["bounded by", `compacted versions of ${window.boundingLink}`]);
  if (window.historyStartMicros > 0) pairs.push(["history start", time(window.historyStartMicros)]);
  pairs.push(["manifest", `sha256 ${backup.manifestSha256}`]);
  return list(pairs);
}

/** Absent, or 0 in a description of a host: the file is the database. */
const storedBytesOf = ({ sizeBytes, storedBytes }: BackupView["segments"][number]) =>
  storedBytes || sizeBytes;

/** States for whom, and how many of the segments, if a chain in the clear was continued. */
function encryptionText(
  { segments }: Pick<BackupView, "segments">,
  recipients: readonly string[],
): string {
  const encrypted = segments.filter((segment) => segment.encrypted).length;
  if (encrypted === 0) return "the archive as a whole";
  const part =
    encrypted === segments.length
      ? ""
      : `${encrypted} of ${formatCount(segments.length, "segment")}, `;
  return `${part}${recipients.length === 0 ? "with a passphrase" : `to ${recipients.map(printable).join(", ")}`}`;
}

function segmentTable({ segments }: BackupView, time: TimeFormat): string {
  const columns = [
    { head: "SEGMENT" },
    { head: "KIND" },
    { head: "RECORDS", right: true },
    { head: "SIZE", right: true },
    { head: "STORED", right: true },
    { head: "AFTER" },
    { head: "UP TO" },
  ];
  const bound = (micros: number) => (micros === 0 ? "start" : time(micros));
  return table(
    columns,
    segments.map((segment) => [
      segment.name,
      segment.kind,
      formatNumber(segment.records),
      formatBytes(segment.sizeBytes),
      formatBytes(storedBytesOf(segment)),
      bound(segment.firstMicros),
      bound(segment.lastMicros),
    ]),
  );
}

/**
 * Formats the lineages of the backups at the destination as a tree: a lineage is below the one that
 * it was restored from, a backup below its lineage. Shows the chain of the inspected backup.
 */
function lineageTree(backup: BackupView, found: BackupView[], time: TimeFormat): string {
  const all = found.some(({ name }) => name === backup.name) ? found : [backup, ...found];
  const lineages = new Map<string, { parent?: string; fromMicros: number }>();
  for (const { lineage, parents } of all) {
    // A parent with position 0 contributed nothing; it was live when it was replaced by a restore.
    const contributing = parents.filter(({ positionMicros }) => positionMicros > 0);
    const ancestry = [...contributing, { lineage }];
    for (const [i, { lineage: name }] of ancestry.entries()) {
      const parent = contributing[i - 1];
      lineages.set(
        name,
        parent ? { parent: parent.lineage, fromMicros: parent.positionMicros } : { fromMicros: 0 },
      );
    }
  }
  const branch = (lineage: string, depth: number): string[] => {
    const indent = "  ".repeat(Math.min(depth, maxDepth));
    const { parent, fromMicros } = lineages.get(lineage) ?? { fromMicros: 0 };
    const children = [...lineages]
      .filter(([, child]) => child.parent === lineage)
      .map(([name]) => name);
    return [
      `${indent}lineage ${printable(lineage)}${parent === undefined ? "" : `, restored from its parent as of ${time(fromMicros)}`}`,
      ...all
        .filter((member) => member.lineage === lineage)
        .flatMap((member) => backupLines(member, member.name === backup.name, indent, time)),
      ...children.flatMap((child) => branch(child, depth + 1)),
    ];
  };
  return [...lineages]
    .filter(([, { parent }]) => parent === undefined)
    .flatMap(([root]) => branch(root, 0))
    .join("\n");
}

/** Limits the indentation; deeper levels are not indented further. */
const maxDepth = 8;

function backupLines(
  backup: BackupView,
  isInspected: boolean,
  indent: string,
  time: TimeFormat,
): string[] {
  const line = `${indent}  ${isInspected ? "*" : "-"} ${printable(backup.name)}, up to ${time(backup.positionMicros)}`;
  return isInspected
    ? [
        line,
        ...backup.segments.map(
          (segment, depth) =>
            `${indent}    ${"  ".repeat(Math.min(depth, maxDepth))}└ ${segment.kind} of ${formatCount(segment.records, "record")}`,
        ),
      ]
    : [line];
}

import type { ListedBackup } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Listed } from "../../offline/list.js";
import { isHostSelected } from "../connect/host-selection.js";
import { stateDirectory } from "../connect/state-directory.js";
import type { HostFlags } from "../flags.js";
import { listAllBackups } from "../list-backups.js";
import { formatAge, formatBytes, formatNumber, formatDuration } from "../output/format.js";
import { printable } from "../output/printable.js";
import { table } from "../output/table.js";
import { displayUri, isListable, toUri } from "../destination-uri.js";
import { readDecryption, type DecryptionFlags } from "../keys.js";
import type { CommandContext } from "../command-context.js";
import type { BackupView } from "../backup-view.js";
import { nowMicros } from "../time.js";

/** Flags of holdfast list. */
export interface ListFlags extends HostFlags, DecryptionFlags {
  recursive: boolean;
  digests?: boolean;
  strict?: boolean;
}

/** The displayed properties of a listed backup, whether it was read locally or a host listed it. */
interface ListedView extends Pick<
  Listed,
  "name" | "uri" | "problem" | "modifiedMicros" | "pinned" | "pinReason"
> {
  state: string;
  backup?: BackupView & { container: string };
  lastVerification?: { passed: boolean; level: string; timeMicros: number; problem?: string };
}

const damagedExitCode = 65;

/**
 * Implements holdfast list. Returns the exit code: with --strict 65 if a backup is damaged or not
 * signed by a trusted signer, otherwise 0.
 */
export async function list(context: CommandContext, flags: ListFlags, root = ""): Promise<number> {
  const uri = toUri(root);
  const { identity, passphrase, passphraseFile, trustedSigners } = flags;
  const hasKey = (identity ?? passphrase ?? passphraseFile ?? trustedSigners) !== undefined;
  const isLocal = uri.startsWith("file:") && !hasKey && !isHostSelected(flags, process.env);
  const listed = await (isLocal
    ? listLocally(context, flags, uri)
    : listByServices(context, flags, uri));
  const isBad = listed.some((one) => stateOf(one) === "DAMAGED" || one.state === "UNTRUSTED");
  return flags.strict && isBad ? damagedExitCode : 0;
}

async function listLocally(
  context: CommandContext,
  flags: ListFlags,
  uri: string,
): Promise<ListedView[]> {
  const { listFiles } = await import("../../offline/list.js");
  const progress = flags.digests
    ? (await import("../output/progress.js")).startProgress(context)
    : undefined;
  const onDigestBytes =
    progress &&
    ((done: number, total: number) =>
      progress.update({
        stage: "checking",
        done,
        total,
        unit: "bytes",
        detail: formatBytes(done),
      }));
  const options = {
    recursive: flags.recursive,
    stateDirectory: stateDirectory(process.env),
    ...(onDigestBytes && { onDigestBytes }),
  };
  const listed = await listFiles(uri, options, context.abort.signal).finally(() =>
    progress?.stop(),
  );
  if (context.json)
    await finishWith(
      context,
      listed.map((await import("../../offline/messages.js")).listedMessage),
      uri,
    );
  else if (!context.quiet) await context.printText(listText(listed, uri));
  return listed;
}

async function listByServices(
  context: CommandContext,
  flags: ListFlags,
  uri: string,
): Promise<ListedView[]> {
  const { withFilesOrHost } = await import("../connect/session.js");
  const decryption = await readDecryption(context, flags);
  return withFilesOrHost(context, flags, async (session) => {
    const recursive = (flags.recursive ?? false) && isListable(uri);
    const backups = await listAllBackups(
      session,
      { uri, recursive, checkDigests: flags.digests ?? false, ...decryption },
      context.abort.signal,
    );
    return finishWith(context, backups, uri);
  });
}

/** Imports the messages on demand, since they load slower than a local listing as text takes. */
async function finishWith(
  context: CommandContext,
  backups: ListedBackup[],
  uri: string,
): Promise<ListedView[]> {
  const [
    { create },
    { BackupState, Container, ListBackupsResponseSchema, VerifyLevel },
    { toBackupView },
  ] = await Promise.all([
    import("@bufbuild/protobuf"),
    import("../../../gen/ts/holdfast/management/v1/management_pb.js"),
    import("../backup-view.js"),
  ]);
  const views = backups.map(({ backup, lastVerification, ...rest }) => ({
    ...rest,
    state: BackupState[rest.state],
    modifiedMicros: Number(rest.modifiedMicros),
    ...(backup && { backup: { ...toBackupView(backup), container: Container[backup.container] } }),
    ...(lastVerification && {
      lastVerification: {
        ...lastVerification,
        level: VerifyLevel[lastVerification.level],
        timeMicros: Number(lastVerification.timeMicros),
      },
    }),
  }));
  await context.printResult(
    ListBackupsResponseSchema,
    create(ListBackupsResponseSchema, { backups }),
    () => listText(views, uri),
  );
  return views;
}

function listText(backups: ListedView[], uri: string): string {
  if (backups.length === 0) return `No backups found below ${displayUri(uri)}.`;
  const now = nowMicros();
  const columns = [
    { head: "STATE" },
    { head: "AGE" },
    { head: "TYPE" },
    { head: "INDEX" },
    { head: "DOCUMENTS", right: true },
    { head: "SIZE", right: true },
    { head: "WINDOW" },
    { head: "VERIFIED" },
    { head: "LOCATION" },
  ];
  const rows = backups.map((entry) => {
    const { backup } = entry;
    const details = backup && [
      `${backup.container.toLowerCase()}${encryptionText(backup)}`,
      backup.indexLink,
      formatNumber(backup.documents),
      formatBytes(backup.sizeBytes),
      formatDuration(backup.window.latestMicros - backup.window.earliestMicros),
    ];
    return [
      stateText(entry),
      ageOf(entry, now),
      ...(details ?? ["", "", "", "", ""]),
      verified(entry, now),
      locationOf(entry),
    ];
  });
  const remarks = backups.flatMap((entry) =>
    remarksOn(entry).map((remark) => printable(`${locationOf(entry)}: ${remark}`)),
  );
  return [table(columns, rows), ...(remarks.length > 0 ? ["", ...remarks] : [])].join("\n");
}

/** A complete backup in which the last verification found damage is damaged. */
const stateOf = ({ state, lastVerification }: ListedView) =>
  state === "COMPLETE" && lastVerification?.passed === false ? "DAMAGED" : state;

function stateText(entry: ListedView): string {
  const state = stateOf(entry);
  const text = state === "DAMAGED" ? state : state.toLowerCase();
  return entry.pinned ? `${text}, pinned` : text;
}

function remarksOn({ problem = "", lastVerification, pinReason = "" }: ListedView): string[] {
  const found = lastVerification?.passed === false ? (lastVerification.problem ?? "") : "";
  return [
    ...(problem === "" ? [] : [problem]),
    ...(found === "" || found === problem ? [] : [`the last verification failed: ${found}`]),
    ...(pinReason === "" ? [] : [`pinned: ${pinReason}`]),
  ];
}

function ageOf({ backup, modifiedMicros = 0 }: ListedView, now: bigint): string {
  const time = backup?.createTimeMicros ?? modifiedMicros;
  return time === 0 ? "" : formatAge(BigInt(time), now);
}

/** Of a chain in the clear that was continued encrypted, only some segments are. */
function encryptionText({ encryption, segments }: Pick<BackupView, "encryption" | "segments">) {
  if (!encryption) return "";
  const encrypted = segments.filter((segment) => segment.encrypted).length;
  return encrypted > 0 && encrypted < segments.length ? ", partly encrypted" : ", encrypted";
}

function verified({ lastVerification }: ListedView, now: bigint): string {
  if (!lastVerification) return "never";
  return `${lastVerification.passed ? "passed" : "FAILED"}, ${levelName(lastVerification.level)}, ${formatAge(BigInt(lastVerification.timeMicros), now)}`;
}

/** Returns a verification level as --level spells it. */
const levelName = (level: string) => level.toLowerCase().replace("_", "-");

function locationOf({ uri, name, backup }: ListedView): string {
  const location = displayUri(uri || backup?.uri || "");
  return location === "" || location.endsWith(`/${name}`)
    ? location || name
    : `${location} ${name}`;
}

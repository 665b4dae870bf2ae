import type { ListedBackup } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Listed } from "../../offline/list.js";
import { isHostSelected } from "../connect/host-selection.js";
import { stateDirectory } from "../connect/state-directory.js";
import type { HostFlags } from "../flags.js";
import { listAllBackups } from "../list-backups.js";
import { formatAge, formatBytes, formatNumber, formatDuration } from "../output/format.js";
import { printable } from "../output/printable.js";
import { table } from "../output/table.js";
import { toUri, displayUri } from "../destination-uri.js";
import type { CommandContext } from "../command-context.js";
import type { BackupView } from "../backup-view.js";
import { nowMicros } from "../time.js";

export interface ListFlags extends HostFlags {
  recursive: boolean;
  digests?: boolean;
  strict?: boolean;
}

/** What is shown of a backup, as it was read here or as a host answered it. */
interface Shown extends Pick<Listed, "name" | "uri" | "problem" | "modifiedMicros"> {
  state: string;
  backup?: BackupView & { container: string };
  lastVerification?: { passed: boolean; level: string; timeMicros: number };
}

const damaged = 65;

/** holdfast list: exits 0 whatever it finds; with --strict 65 where a backup is damaged. */
export async function list(context: CommandContext, flags: ListFlags, root = ""): Promise<number> {
  const uri = toUri(root);
  const here = uri.startsWith("file:") && !isHostSelected(flags, process.env);
  const listed = await (here ? listHere(context, flags, uri) : listByServices(context, flags, uri));
  return flags.strict && listed.some(({ state }) => state === "DAMAGED") ? damaged : 0;
}

async function listHere(context: CommandContext, flags: ListFlags, uri: string): Promise<Shown[]> {
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
): Promise<Shown[]> {
  const { withFilesOrHost } = await import("../connect/session.js");
  return withFilesOrHost(context, flags, async (session) => {
    const recursive = flags.recursive && uri.startsWith("file:");
    const backups = await listAllBackups(
      session,
      { uri, recursive, checkDigests: flags.digests ?? false },
      context.abort.signal,
    );
    return finishWith(context, backups, uri);
  });
}

/** What messages are made of is loaded here: a list for people is over sooner than that. */
async function finishWith(
  context: CommandContext,
  backups: ListedBackup[],
  uri: string,
): Promise<Shown[]> {
  const [
    { create },
    { BackupState, Container, ListBackupsResponseSchema, VerifyLevel },
    { toBackupView: shownBackup },
  ] = await Promise.all([
    import("@bufbuild/protobuf"),
    import("../../../gen/ts/holdfast/management/v1/management_pb.js"),
    import("../backup-view.js"),
  ]);
  const shown = backups.map(({ backup, lastVerification, ...one }) => ({
    ...one,
    state: BackupState[one.state],
    modifiedMicros: Number(one.modifiedMicros),
    ...(backup && { backup: { ...shownBackup(backup), container: Container[backup.container] } }),
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
    () => listText(shown, uri),
  );
  return shown;
}

function listText(backups: Shown[], uri: string): string {
  if (backups.length === 0) return `There is no backup below ${displayUri(uri)}.`;
  const now = nowMicros();
  const columns = [
    { head: "STATE" },
    { head: "AGE" },
    { head: "TYPE" },
    { head: "INDEX" },
    { head: "DOCUMENTS", right: true },
    { head: "SIZE", right: true },
    { head: "WINDOW" },
    { head: "CHECKED" },
    { head: "WHERE" },
  ];
  const rows = backups.map((one) => {
    const { backup } = one;
    const figures = backup && [
      backup.container.toLowerCase(),
      backup.indexLink,
      formatNumber(backup.documents),
      formatBytes(backup.sizeBytes),
      formatDuration(backup.window.latestMicros - backup.window.earliestMicros),
    ];
    return [
      one.state === "DAMAGED" ? one.state : one.state.toLowerCase(),
      ageOf(one, now),
      ...(figures ?? ["", "", "", "", ""]),
      checked(one, now),
      whereOf(one),
    ];
  });
  const problems = backups
    .filter(({ problem = "" }) => problem !== "")
    .map((one) => printable(`${whereOf(one)}: ${one.problem}`));
  return [table(columns, rows), ...(problems.length > 0 ? ["", ...problems] : [])].join("\n");
}

function ageOf({ backup, modifiedMicros = 0 }: Shown, now: bigint): string {
  const time = backup?.createTimeMicros ?? modifiedMicros;
  return time === 0 ? "" : formatAge(BigInt(time), now);
}

function checked({ lastVerification }: Shown, now: bigint): string {
  if (!lastVerification) return "never";
  return `${lastVerification.passed ? "good" : "BAD"}, ${lastVerification.level.toLowerCase()}, ${formatAge(BigInt(lastVerification.timeMicros), now)}`;
}

function whereOf({ uri, name, backup }: Shown): string {
  const where = displayUri(uri || backup?.uri || "");
  return where === "" || where.endsWith(`/${name}`) ? where || name : `${where} ${name}`;
}

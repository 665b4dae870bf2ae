import type { ListedBackup } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Listed } from "../../offline-list.js";
import { namesHost } from "../connect/names-host.js";
import { stateDirectory } from "../connect/state-directory.js";
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

/** What is shown of a backup, as it was read here or as a host answered it. */
interface Shown extends Pick<Listed, "name" | "uri" | "problem"> {
  state: string;
  modifiedMicros?: number;
  backup?: Pick<NonNullable<Listed["backup"]>, "uri" | "createTimeMicros" | "indexLink" | "documents" | "sizeBytes"> & { container: string; windowMicros: number };
  lastVerification?: { passed: boolean; level: string; timeMicros: number };
}

const damaged = 65;

/** holdfast list: exits 0 whatever it finds; with --strict 65 where a backup is damaged. */
export async function list(run: Run, flags: ListFlags, root = ""): Promise<number> {
  const uri = placeUri(root);
  const here = uri.startsWith("file:") && !namesHost(flags, process.env);
  const listed = await (here ? listHere(run, flags, uri) : listByServices(run, flags, uri));
  return flags.strict && listed.some(({ state }) => state === "DAMAGED") ? damaged : 0;
}

async function listHere(run: Run, flags: ListFlags, uri: string): Promise<Shown[]> {
  const { listedMessages, listFiles } = await import("../../offline-list.js");
  const digests = flags.digests ? await watchDigests(run) : undefined;
  const options = { recursive: flags.recursive, stateDirectory: stateDirectory(process.env), ...(digests && { onDigestBytes: digests.onBytes }) };
  const listed = await listFiles(uri, options, run.stops.signal).finally(() => digests?.stop());
  const shown = listed.map(({ backup, ...one }) => ({
    ...one,
    ...(backup && { backup: { ...backup, windowMicros: backup.window.latestMicros - backup.window.earliestMicros } }),
  }));
  if (run.json) await printMessages(run, await listedMessages(listed));
  else if (!run.quiet) await run.say(listText(shown, uri));
  return shown;
}

async function watchDigests(run: Run) {
  const { startProgress } = await import("../output/progress.js");
  const progress = startProgress(run);
  return {
    onBytes: (done: number, total: number) => progress.update({ stage: "checking", done, total, unit: "bytes", detail: bytes(done) }),
    stop: () => progress.stop(),
  };
}

async function listByServices(run: Run, flags: ListFlags, uri: string): Promise<Shown[]> {
  const [{ withFilesOrHost }, { BackupState, Container, VerifyLevel }] = await Promise.all([import("../connect/session.js"), import("../../../gen/ts/holdfast/management/v1/management_pb.js")]);
  return withFilesOrHost(run, flags, async (session) => {
    const recursive = flags.recursive && uri.startsWith("file:");
    const backups = await listAllBackups(session, { uri, recursive, checkDigests: flags.digests ?? false }, run.stops.signal);
    const shown = backups.map(({ name, uri: at, state, problem, modifiedMicros, backup, lastVerification }) => ({
      name,
      uri: at,
      problem,
      state: BackupState[state],
      modifiedMicros: Number(modifiedMicros),
      ...(backup && {
        backup: {
          ...backup,
          container: Container[backup.container],
          createTimeMicros: Number(backup.createTimeMicros),
          documents: Number(backup.documents),
          sizeBytes: Number(backup.sizeBytes),
          windowMicros: Number((backup.window?.latestMicros ?? 0n) - (backup.window?.earliestMicros ?? 0n)),
        },
      }),
      ...(lastVerification && { lastVerification: { ...lastVerification, level: VerifyLevel[lastVerification.level], timeMicros: Number(lastVerification.timeMicros) } }),
    }));
    if (run.json) await printMessages(run, backups);
    else await run.say(listText(shown, uri));
    return shown;
  });
}

/** What messages are made of is loaded here: a list for people is over sooner than that. */
async function printMessages({ command }: Run, backups: ListedBackup[]): Promise<void> {
  const [{ create }, { ListBackupsResponseSchema }, { printJson }] = await Promise.all([
    import("@bufbuild/protobuf"),
    import("../../../gen/ts/holdfast/management/v1/management_pb.js"),
    import("../output/json.js"),
  ]);
  await printJson(command, ListBackupsResponseSchema, create(ListBackupsResponseSchema, { backups }));
}

function listText(backups: Shown[], uri: string): string {
  if (backups.length === 0) return `There is no backup below ${showPlace(uri)}.`;
  const now = nowMicros();
  const columns = [
    { head: "STATE" }, { head: "AGE" }, { head: "TYPE" }, { head: "INDEX" }, { head: "DOCUMENTS", right: true }, { head: "SIZE", right: true }, { head: "WINDOW" }, { head: "CHECKED" }, { head: "WHERE" },
  ];
  const rows = backups.map((one) => {
    const { backup } = one;
    const figures = backup && [backup.container.toLowerCase(), backup.indexLink, number(backup.documents), bytes(backup.sizeBytes), span(backup.windowMicros)];
    return [one.state === "DAMAGED" ? one.state : one.state.toLowerCase(), ageOf(one, now), ...(figures ?? ["", "", "", "", ""]), checked(one, now), whereOf(one)];
  });
  const problems = backups.filter(({ problem = "" }) => problem !== "").map((one) => `${whereOf(one)}: ${one.problem}`);
  return [table(columns, rows), ...(problems.length > 0 ? ["", ...problems] : [])].join("\n");
}

function ageOf({ backup, modifiedMicros = 0 }: Shown, now: bigint): string {
  const time = backup?.createTimeMicros ?? modifiedMicros;
  return time === 0 ? "" : age(BigInt(time), now);
}

function checked({ lastVerification }: Shown, now: bigint): string {
  if (!lastVerification) return "never";
  return `${lastVerification.passed ? "good" : "BAD"}, ${lastVerification.level.toLowerCase()}, ${age(BigInt(lastVerification.timeMicros), now)}`;
}

function whereOf({ uri, name, backup }: Shown): string {
  const where = showPlace(uri || backup?.uri || "");
  return where === "" || where.endsWith(`/${name}`) ? where || name : `${where} ${name}`;
}

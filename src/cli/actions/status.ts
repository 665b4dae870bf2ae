import {
  BackupResultSchema,
  HostSchema,
  OperationKind,
  RestoreResultSchema,
  OperationMetadataSchema,
  AutoBackupState,
  type BackupRecord,
  type Host,
  type Index,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { hostErrorOfStatus, unpack } from "../../client/host-error.js";
import { isIndexNotAllowed, undefinedIf, withHost } from "../connect/session.js";
import type { HostFlags } from "../flags.js";
import {
  formatAge,
  formatBytes,
  clockWarning,
  count,
  moment,
  formatNumber,
} from "../output/format.js";
import { list, table } from "../output/table.js";
import { progressOf } from "../output/progress.js";
import { displayUri } from "../destination-uri.js";
import type { CommandContext } from "../command-context.js";
import { nowMicros } from "../time.js";

const unhealthy = 69;

/** holdfast status: exits 69 where backups are not as they should be, or an index is damaged. */
export async function status(context: CommandContext, flags: HostFlags): Promise<number> {
  return withHost(context, flags, async (session) => {
    const { management, operations } = session;
    const { signal } = context.abort;
    const host = await management.getHost({}, { signal });
    const listed = await undefinedIf(
      session,
      operations.listOperations({ filter: "" }, { signal }),
      isIndexNotAllowed,
    );
    const running = listed?.operations.filter(({ done }) => !done);
    await context.printResult(HostSchema, host, () => describe(host, running));
    // Health has a problem where it is bad; a host that cannot tell yet has none.
    return host.backupProblem === "" && host.indexes.every(({ problem }) => problem === "")
      ? 0
      : unhealthy;
  });
}

function describe(host: Host, running: Operation[] | undefined): string {
  const now = nowMicros();
  const parts = [
    list([
      ["host", host.id],
      ["version", host.version],
      ["started", `${formatAge(host.startTimeMicros, now)}, ${moment(host.startTimeMicros)}`],
      ["HTTP", host.httpAddress],
      ["gRPC", host.grpcAddress],
      [
        "data",
        `${host.dataDirectory}${host.freeBytes > 0n ? `, ${formatBytes(host.freeBytes)} free` : ""}`,
      ],
      ["backup roots", host.backupRoots.join(", ") || "anywhere"],
      ["automatic backups", autoBackup(host, now)],
      ["health of backups", host.backupProblem === "" ? "good" : `BAD: ${host.backupProblem}`],
    ]),
    indexes(host.indexes, now),
    ...host.indexes.flatMap(({ link, problem }) =>
      problem === "" ? [] : [`DAMAGED: ${link}. ${problem}`],
    ),
    ...host.indexes.map(({ link, positionMicros }) => clockWarning(link, positionMicros, now)),
    backups(host.backups, now),
    running === undefined
      ? ""
      : running.length === 0
        ? "No operation runs."
        : operationTable(running),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function autoBackup({ autoBackup }: Host, now: bigint): string {
  if (!autoBackup?.enabled) return "off";
  const state = AutoBackupState[autoBackup.state].toLowerCase();
  const last =
    autoBackup.lastSuccessMicros > 0n
      ? `, last one ${formatAge(autoBackup.lastSuccessMicros, now)}`
      : "";
  const failed =
    autoBackup.lastError === ""
      ? ""
      : `, FAILED ${autoBackup.failuresInARow} times: ${autoBackup.lastError}`;
  return `${state}, to ${autoBackup.directory}${last}${failed}`;
}

function indexes(all: Index[], now: bigint): string {
  const columns = [
    { head: "INDEX" },
    { head: "DOCUMENTS", right: true },
    { head: "VERSIONS", right: true },
    { head: "SIZE", right: true },
    { head: "LAST CHANGE" },
  ];
  return table(
    columns,
    all.map((one) => [
      one.link,
      formatNumber(one.documents),
      formatNumber(one.versions),
      one.inMemory ? "in memory" : formatBytes(one.sizeBytes),
      formatAge(one.positionMicros, now),
    ]),
  );
}

function backups(all: BackupRecord[], now: bigint): string {
  if (all.length === 0) return "No backup is remembered.";
  const columns = [
    { head: "BACKUPS OF" },
    { head: "TO" },
    { head: "LAST GOOD" },
    { head: "SIZE", right: true },
    { head: "PROBLEM" },
  ];
  return table(
    columns,
    all.map((one) => [
      one.indexLink,
      displayUri(one.destination),
      formatAge(one.lastSuccessMicros, now),
      formatBytes(one.sizeBytes),
      one.lastError,
    ]),
  );
}

function wasDryRun({ result }: Operation): boolean {
  if (result.case !== "response") return false;
  return [BackupResultSchema, RestoreResultSchema].some(
    (schema) => unpack(result.value, schema)?.plan !== undefined,
  );
}

function stateOf({ done, result }: Operation): string {
  if (!done) return "runs";
  if (result.case !== "error") return "done";
  return hostErrorOfStatus(result.value).reason === "OPERATION_CANCELLED" ? "cancelled" : "failed";
}

/** Operations as a table, the newest first as the host has them. */
export function operationTable(all: Operation[]): string {
  const now = nowMicros();
  const columns = [
    { head: "OPERATION" },
    { head: "KIND" },
    { head: "STATE" },
    { head: "BEGAN" },
    { head: "INDEX" },
    { head: "AT" },
    { head: "PROGRESS" },
  ];
  return table(
    columns,
    all.map((one) => {
      const metadata = unpack(one.metadata, OperationMetadataSchema);
      const state = stateOf(one);
      if (!metadata) return [one.name, "", state, "", "", "", ""];
      const { stage, detail } = progressOf(metadata);
      const progress =
        one.result.case === "error"
          ? one.result.value.message
          : wasDryRun(one)
            ? "only looked at: nothing was done"
            : one.done
              ? count(metadata.documentsDone, "record")
              : `${stage} ${detail}`;
      return [
        one.name,
        OperationKind[metadata.kind].toLowerCase(),
        state,
        formatAge(metadata.startTimeMicros, now),
        metadata.indexLink,
        displayUri(metadata.target),
        progress,
      ];
    }),
  );
}

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
  type OpenedIndex,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import {
  PolicySource,
  type BackupPolicy,
} from "../../../gen/ts/holdfast/management/v1/policy_pb.js";
import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import type { HostError } from "../../errors.js";
import { hostErrorOfStatus, unpack } from "../../client/host-error.js";
import { isIndexNotAllowed, undefinedIf, withHost, type Session } from "../connect/session.js";
import { listAllPolicies } from "../list-policies.js";
import type { HostFlags } from "../flags.js";
import {
  formatAge,
  formatBytes,
  clockWarning,
  formatCount,
  formatDuration,
  formatNumber,
} from "../output/format.js";
import { list, table } from "../output/table.js";
import { progressOf } from "../output/progress.js";
import { displayUri } from "../destination-uri.js";
import type { CommandContext } from "../command-context.js";
import { nowMicros } from "../time.js";
import { policyTable } from "./policy-text.js";

const unhealthyExitCode = 69;

/**
 * Implements holdfast status. Returns the exit code: 69 if backups are unhealthy, an index is
 * damaged, its database is away or no host leads, otherwise 0.
 */
export async function status(context: CommandContext, flags: HostFlags): Promise<number> {
  return withHost(context, flags, async (session) => {
    const { management, operations } = session;
    const { signal } = context.abort;
    const host = await management.getHost({}, { signal });
    const listed = await undefinedIf(
      session,
      operations.listOperations({ filter: "" }, { signal }),
      (error) => isIndexNotAllowed(error) || isWithoutLeader(error),
    );
    const running = listed?.operations.filter(({ done }) => !done);
    await context.printResult(HostSchema, host, async () =>
      describe(context, host, running, await declaredPolicies(session, signal)),
    );
    // A host that has not determined its backup health yet reports no problem.
    const { database } = host.engine ?? {};
    const isDatabaseSound = !database || (database.reachable && database.leader !== "");
    return isDatabaseSound &&
      host.backupProblem === "" &&
      host.indexes.every(({ problem }) => problem === "")
      ? 0
      : unhealthyExitCode;
  });
}

/** A host says what it knows itself while its database is away, or no other host leads. */
const isWithoutLeader = ({ reason }: HostError) =>
  reason === "LEADER_UNAVAILABLE" || reason === "DATABASE_UNAVAILABLE";

/** Lists the policies besides the built-in one; none if the host or the token does not allow it. */
async function declaredPolicies(session: Session, signal: AbortSignal): Promise<BackupPolicy[]> {
  const listed = await undefinedIf(
    session,
    listAllPolicies(session, signal),
    (error) =>
      error.code === "PERMISSION_DENIED" ||
      error.reason === "NOT_SUPPORTED" ||
      isWithoutLeader(error),
  );
  return (listed ?? []).filter(({ status: known }) => known?.source !== PolicySource.BUILT_IN);
}

function describe(
  { formatTime }: CommandContext,
  host: Host,
  running: Operation[] | undefined,
  policies: BackupPolicy[],
): string {
  const now = nowMicros();
  const parts = [
    list([
      ["host", host.id],
      ["version", host.version],
      ["started", `${formatTime(host.startTimeMicros)}, ${formatAge(host.startTimeMicros, now)}`],
      ["HTTP", host.httpAddress],
      ["gRPC", host.grpcAddress],
      [
        "data",
        `${host.dataDirectory}${host.freeBytes > 0n ? `, ${formatBytes(host.freeBytes)} free` : ""}`,
      ],
      ...databaseLines(host),
      ["signing key", host.signingKeyFingerprint],
      ["backup roots", host.backupRoots.join(", ") || "no restriction"],
      ["automatic backups", autoBackupText(host, now)],
      ["backup health", host.backupProblem === "" ? "healthy" : `UNHEALTHY: ${host.backupProblem}`],
    ]),
    peerTable(host, now),
    indexTable(host.indexes, now),
    openedTable(host.openedIndexes, now),
    ...host.indexes.flatMap(({ link, problem }) =>
      problem === "" ? [] : [`DAMAGED: ${link}. ${problem}`],
    ),
    ...host.indexes.map(({ link, positionMicros }) =>
      clockWarning(link, positionMicros, now, formatTime),
    ),
    policies.length === 0 ? "" : policyTable(policies, now),
    backupTable(host.backups, now),
    ...host.backups.flatMap(({ destination, warnings }) =>
      warnings.map((warning) => `Warning (${displayUri(destination)}): ${warning}`),
    ),
    running === undefined
      ? ""
      : running.length === 0
        ? "No running operations."
        : operationTable(running),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function databaseLines({ engine }: Host): [string, string][] {
  const database = engine?.database;
  if (!database) return [];
  const { name, schema, reachable, leader, serverVersion, synchronous, standbys } = database;
  const state = reachable ? `version ${serverVersion}` : "NOT REACHABLE";
  const standbyText = standbys.map(({ name: standby, mode, state: phase, lagBytes }) =>
    lagBytes === undefined
      ? `${standby} (its state is not visible: GRANT pg_monitor)`
      : `${standby} (${mode}, ${phase}, ${formatBytes(lagBytes)} behind)`,
  );
  const commits = !synchronous
    ? "commits do not wait for a standby"
    : standbys.length === 0
      ? "COMMITS WAIT FOR ONE, so that writes do not end"
      : "commits wait for a standby";
  return [
    [
      "database",
      `postgres ${name}, schema ${schema}, ${state}, ${leader === "" ? "NO HOST LEADS" : `led by ${leader}`}`,
    ],
    [
      "replication",
      reachable ? `${standbyText.join(", ") || "no standby"}; ${commits}` : "unknown",
    ],
  ];
}

/** The hosts that share the database. */
function peerTable({ engine }: Host, now: bigint): string {
  const database = engine?.database;
  if (!database) return "";
  const columns = [
    { head: "HOST" },
    { head: "HTTP" },
    { head: "GRPC" },
    { head: "VERSION" },
    { head: "STARTED" },
    { head: "STATE" },
  ];
  return table(
    columns,
    database.peers.map((peer) => [
      peer.id,
      peer.httpAddress,
      peer.grpcAddress,
      peer.version,
      formatAge(peer.startTimeMicros, now),
      peer.alive
        ? peer.id === database.leader
          ? "leads"
          : "follows"
        : `VANISHED ${formatDuration(peer.lastSeenMicros)} ago`,
    ]),
  );
}

function autoBackupText({ autoBackup }: Host, now: bigint): string {
  if (!autoBackup?.enabled) return "off";
  const state = AutoBackupState[autoBackup.state].toLowerCase();
  const last =
    autoBackup.lastSuccessMicros > 0n
      ? `, last success ${formatAge(autoBackup.lastSuccessMicros, now)}`
      : "";
  const failed =
    autoBackup.lastError === ""
      ? ""
      : `, FAILED ${autoBackup.failuresInARow} times in a row: ${autoBackup.lastError}`;
  return `${state}, to ${autoBackup.destination}${last}${failed}`;
}

function indexTable(indexes: Index[], now: bigint): string {
  const columns = [
    { head: "INDEX" },
    { head: "DOCUMENTS", right: true },
    { head: "VERSIONS", right: true },
    { head: "SIZE", right: true },
    { head: "LAST CHANGE" },
  ];
  return table(
    columns,
    indexes.map((index) => [
      index.link,
      formatNumber(index.documents),
      formatNumber(index.versions),
      index.inMemory ? "in memory" : formatBytes(index.sizeBytes),
      formatAge(index.positionMicros, now),
    ]),
  );
}

/** Backups that are open for reading. */
function openedTable(opened: OpenedIndex[], now: bigint): string {
  if (opened.length === 0) return "";
  const columns = [
    { head: "OPENED" },
    { head: "DOCUMENTS", right: true },
    { head: "SIZE", right: true },
    { head: "OF" },
    { head: "AS OF" },
    { head: "CLOSES IN", right: true },
  ];
  return table(
    columns,
    opened.map((one) => [
      one.indexLink,
      formatNumber(one.documents),
      formatBytes(one.sizeBytes),
      one.source === "" ? one.sourceIndexLink : displayUri(one.source),
      formatAge(one.targetTimeMicros, now),
      formatDuration(one.expireTimeMicros - now),
    ]),
  );
}

function backupTable(records: BackupRecord[], now: bigint): string {
  if (records.length === 0) return "No recent backups.";
  const columns = [
    { head: "INDEX" },
    { head: "DESTINATION" },
    { head: "LAST SUCCESS" },
    { head: "SIZE", right: true },
    { head: "LAST ERROR" },
  ];
  return table(
    columns,
    records.map((record) => [
      record.indexLink,
      displayUri(record.destination),
      formatAge(record.lastSuccessMicros, now),
      formatBytes(record.sizeBytes),
      record.lastError,
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
  if (!done) return "running";
  if (result.case !== "error") return "done";
  return hostErrorOfStatus(result.value).reason === "OPERATION_CANCELLED" ? "cancelled" : "failed";
}

/** Formats operations as a table, in the order given. */
export function operationTable(operations: Operation[]): string {
  const now = nowMicros();
  const columns = [
    { head: "OPERATION" },
    { head: "KIND" },
    { head: "STATE" },
    { head: "STARTED" },
    { head: "INDEX" },
    { head: "TARGET" },
    { head: "PROGRESS" },
  ];
  return table(
    columns,
    operations.map((operation) => {
      const metadata = unpack(operation.metadata, OperationMetadataSchema);
      const state = stateOf(operation);
      if (!metadata) return [operation.name, "", state, "", "", "", ""];
      const { stage, detail } = progressOf(metadata);
      const progress =
        operation.result.case === "error"
          ? operation.result.value.message
          : wasDryRun(operation)
            ? "dry run"
            : operation.done
              ? formatCount(metadata.documentsDone, "record")
              : `${stage} ${detail}`;
      return [
        operation.name,
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

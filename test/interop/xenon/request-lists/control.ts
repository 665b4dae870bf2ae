import { ask, manage, type ListedRequest } from "../request.js";

const state = "/core/management";
const count = (body: Record<string, unknown>, name: string) =>
  (body["entries"] as Record<string, { latestValue?: number }> | undefined)?.[name]?.latestValue ??
  0;

/** Settings and statistics of /core/management; the shutdown comes last. */
export const controlRequests: readonly ListedRequest[] = [
  ask("the state of the host", "GET", state),
  ask("the statistics", "GET", `${state}/stats`),
  manage("automatic backups on", "AutoBackupConfiguration", { enable: true }),
  ask("the state with automatic backups", "GET", state),
  ask("a write to back up", "POST", "/core/examples", { documentSelfLink: "auto", name: "auto" }),
  ask("the statistics of automatic backups", "GET", `${state}/stats`, undefined, {
    until: (body) => count(body, "autoBackupPerformedCountPerDay") > 0,
  }),
  manage("automatic backups off", "AutoBackupConfiguration", { enable: false }),
  manage("automatic backups without values", "AutoBackupConfiguration"),
  ask("the state without automatic backups", "GET", state),
  manage("request logging on", "ConfigureInboundRequestLogging", {
    loggingInfo: { enabled: true, skipGossipRequests: false },
  }),
  ask("the state with request logging", "GET", state),
  manage("request logging off", "ConfigureInboundRequestLogging", {
    loggingInfo: { enabled: false },
  }),
  manage("request logging without values", "ConfigureInboundRequestLogging"),
  manage("operation tracing on", "ConfigureOperationTracingRequest", { enable: "START" }),
  manage("operation tracing with a level", "ConfigureOperationTracingRequest", {
    enable: "START",
    level: "FINE",
  }),
  manage("operation tracing off", "ConfigureOperationTracingRequest", { enable: "STOP" }),
  manage("operation tracing without values", "ConfigureOperationTracingRequest"),
  manage("synchronization", "SynchronizeWithPeersRequest", {
    nodeSelectorPath: "/core/node-selectors/default",
  }),
  manage("synchronization without values", "SynchronizeWithPeersRequest"),
  // Holdfast retries for 30 s.
  manage(
    "backup to a closed port",
    "BackupRequest",
    { destination: "http://127.0.0.1:1/x", backupType: "STREAM" },
    { patienceMs: 60_000 },
  ),
  ask("put of management", "PUT", state, {
    kind: "com:vmware:xenon:services:common:ServiceHostManagementService:BackupRequest",
  }),
  ask("delete of management", "DELETE", state),
];

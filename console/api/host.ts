import type {
  ListOperationsResponseJson,
  OperationJson,
} from "../../gen/ts/google/longrunning/operations_pb.js";
import type {
  ActivityJson,
  DescribePointInTimeResponseJson,
  DiffBackupsResponseJson,
  HostJson,
  OperationMetadataJson,
  RestoreRequestJson,
  RestoreResultJson,
  BackupRequestJson,
  UndoRestoreRequestJson,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import type { ListPoliciesResponseJson } from "../../gen/ts/holdfast/management/v1/policy_pb.js";
import { get, post, stream } from "./request.js";

/** Calls of /v1. Times are microseconds since 1970. */

export const getHost = (signal?: AbortSignal) => get<HostJson>("/v1/host", {}, signal);

/** Lists all policies: a host has at most 1000, as many as a page. */
export const listPolicies = (signal?: AbortSignal) =>
  get<ListPoliciesResponseJson>("/v1/policies", { page_size: 1000 }, signal);

export const listOperations = (signal?: AbortSignal) =>
  get<ListOperationsResponseJson>("/v1/operations", { page_size: 50 }, signal);

export const getActivity = (
  range: { from?: number; to?: number; buckets: number; indexLink: string },
  signal?: AbortSignal,
) =>
  get<ActivityJson>(
    "/v1/indexes:activity",
    {
      index_link: range.indexLink,
      start_time_micros: range.from,
      end_time_micros: range.to,
      buckets: range.buckets,
    },
    signal,
  );

/** The versions around a point in time of the live index. */
export const describePointInTime = (
  indexLink: string,
  timeMicros: number,
  count: number,
  signal?: AbortSignal,
) =>
  post<DescribePointInTimeResponseJson>(
    "/v1/backups:describePointInTime",
    { pointInTime: { indexLink, targetTimeMicros: String(timeMicros) }, count },
    signal,
  );

/** What a restore to a point in time changes: from the live index to its state at that time. */
export const previewRestore = (
  { indexLink, timeMicros, prefix }: { indexLink: string; timeMicros: number; prefix: string },
  signal: AbortSignal,
) =>
  stream<DiffBackupsResponseJson>(
    "/v1/backups:diff",
    {
      from: { indexLink },
      to: { indexLink, targetTimeMicros: String(timeMicros) },
      progress: true,
      ...(prefix !== "" && { selection: { prefixes: [prefix] } }),
    },
    signal,
  );

export const startBackup = (request: BackupRequestJson) =>
  post<OperationJson>("/v1/backups", request);

export const startRestore = (request: RestoreRequestJson) =>
  post<OperationJson>("/v1/restores", request);

export const startUndo = (request: UndoRestoreRequestJson) =>
  post<OperationJson>("/v1/restores:undo", request);

/** Yields an operation whenever it has progressed, until it is done. */
export const watchOperation = (name: string, signal: AbortSignal) =>
  stream<OperationJson>(`/v1/${name}:watch`, undefined, signal);

export const cancelOperation = (name: string) => post<object>(`/v1/${name}:cancel`, {});

/** What an operation is about. */
export const metadataOf = (operation: OperationJson): OperationMetadataJson =>
  (operation.metadata ?? {}) as OperationMetadataJson;

/** The result of a restore that has succeeded. */
export const restoreResultOf = (operation: OperationJson): RestoreResultJson =>
  (operation.response ?? {}) as RestoreResultJson;

import type { ServiceImpl } from "@connectrpc/connect";
import { create } from "@bufbuild/protobuf";
import {
  OperationTracingSchema,
  RequestLoggingSchema,
  type ManagementService as ManagementServiceDescriptor,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { ManagementService } from "../../service/backups/management-service.js";
import type { OperationService } from "../../operation/operation.js";
import type { PruneResult } from "../../backup/listing.js";
import { toHost } from "../convert/backup.js";
import { controlMethods } from "./control.js";
import { toAutoBackup, toCaller } from "../convert/control.js";
import type { Grant } from "../../security/access.js";
import { toLink } from "./document-body.js";
import { inspectionMethods } from "./inspection.js";
import { startMethods } from "./start.js";
import type { HostControl } from "../../service/host/host-control.js";
import { streamBackup } from "./stream-backup.js";
import { streamRestore } from "./stream-restore.js";
import { toTransfer, transferName } from "../convert/transfer.js";
import { watchOperation } from "./watch-operation.js";
import type { StreamService } from "../../service/backups/streams.js";
import type { OperationConversion } from "../convert/operation.js";
import { toInt64 } from "../convert/numbers.js";
import { rememberRequests } from "./remembered-requests.js";

/** Returns what the caller with these headers may do. */
export type GrantOf = (header: Headers) => Grant;

/** Host services used by the management service. */
export interface ManagementParts {
  management: ManagementService;
  operations: OperationService;
  streams: StreamService;
  control: HostControl;
}

/** Implements holdfast.management.v1.ManagementService. */
export function managementServiceImpl(
  { management, operations, streams, control }: ManagementParts,
  conversion: OperationConversion,
  grantOf: GrantOf,
): ServiceImpl<typeof ManagementServiceDescriptor> {
  const isLimited = (header: Headers) => grantOf(header).indexes !== undefined;
  const pruneOnce = rememberRequests<PruneResult>();
  return {
    ...controlMethods(control),
    ...startMethods(management, conversion, isLimited),
    ...inspectionMethods(management, conversion),
    getHost: async (_request, { requestHeader }) => ({
      ...toHost(await management.host()),
      caller: toCaller(grantOf(requestHeader)),
      autoBackup: toAutoBackup(control.autoBackup()),
      requestLogging: create(RequestLoggingSchema, control.requestLogging()),
      operationTracing: create(OperationTracingSchema, control.operationTracing()),
    }),
    async closeBackup({ indexLink }) {
      await management.closeBackup(toLink(indexLink));
      return {};
    },
    async pruneBackups({ uri, names, validateOnly, requestId }) {
      const prune = () => management.pruneBackups(uri, names, validateOnly);
      // Makes retries safe: pruning a backup that no longer exists is an error.
      const { removedBackups, removedFiles, freedBytes, lockedFiles, pinnedBackups } =
        await pruneOnce(requestId, JSON.stringify([uri, names, validateOnly]), prune);
      return {
        removedBackups,
        removedFiles,
        freedBytes: toInt64(freedBytes),
        lockedFiles: lockedFiles.map(({ name, untilMs }) => ({
          name,
          lockedUntilMicros: toInt64(untilMs * 1000),
        })),
        pinnedBackups,
      };
    },
    async pinBackup({ uri, backupName, reason }) {
      await management.pinBackup(uri, backupName, reason);
      return {};
    },
    async unpinBackup({ uri, backupName }) {
      await management.unpinBackup(uri, backupName);
      return {};
    },
    streamBackup: (request, { signal }) => streamBackup(streams, request, signal),
    streamRestore: (requests, { signal, requestHeader }) =>
      streamRestore(streams, requests, { signal, otherIndex: !isLimited(requestHeader) }),
    getTransfer: ({ name }) => toTransfer(streams.transfers.get(transferName(name))),
    listTransfers: () => ({ transfers: streams.transfers.list().map(toTransfer) }),
    async deleteTransfer({ name }) {
      await streams.transfers.delete(transferName(name));
      return {};
    },
    watchOperation: ({ name }, { signal }) => watchOperation(operations, name, conversion, signal),
  };
}

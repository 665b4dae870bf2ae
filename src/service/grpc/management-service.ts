import type { ServiceImpl } from "@connectrpc/connect";
import { create } from "@bufbuild/protobuf";
import { OperationTracingSchema, RequestLoggingSchema, type ManagementService as ManagementServiceDescriptor } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { ManagementService, OperationService, PruneResult } from "../management-service.js";
import { containerKind, toBackup, toHost, toListedBackup } from "./convert-backup.js";
import { controlMethods } from "./control.js";
import { toAutoBackup } from "./convert-control.js";
import type { HostControl } from "../host-control.js";
import { HostError } from "../../errors.js";
import { durableIndexLink } from "../factories.js";
import { streamBackup } from "./stream-backup.js";
import { streamRestore } from "./stream-restore.js";
import { toTransfer, transferName } from "./convert-transfer.js";
import { watchOperation } from "./watch-operation.js";
import type { StreamService } from "../streams.js";
import { toOperation, type OperationConversion } from "./convert-operation.js";
import { toInt64 } from "./numbers.js";
import { badPageToken, readPageToken, writePageToken } from "./page-token.js";
import { rememberRequests } from "./remembered-requests.js";

const backupsPage = 100;
const backupsListing = "backups";

export interface ManagementParts {
  management: ManagementService;
  operations: OperationService;
  streams: StreamService;
  control: HostControl;
}

/** holdfast.management.v1.ManagementService over a host's management. */
export function managementServiceImpl({ management, operations, streams, control }: ManagementParts, conversion: OperationConversion): ServiceImpl<typeof ManagementServiceDescriptor> {
  const pruneOnce = rememberRequests<PruneResult>();
  return {
    ...controlMethods(control),
    getHost: async () => ({
      ...toHost(await management.host()),
      autoBackup: toAutoBackup(control.autoBackup()),
      requestLogging: create(RequestLoggingSchema, control.requestLogging()),
      operationTracing: create(OperationTracingSchema, control.operationTracing()),
    }),
    async backup(request) {
      const view = await management.backup({
        destination: request.destination,
        container: containerKind(request.container, request.destination),
        indexLink: request.indexLink || durableIndexLink,
        store: request.store,
        full: request.full,
        validateOnly: request.validateOnly,
        ...(request.requestId !== "" && { requestId: request.requestId }),
        ...(request.bearer !== "" && { bearer: request.bearer }),
        ...(request.verify !== undefined && { verify: request.verify }),
        ...(request.since !== "" && { since: request.since }),
      });
      return toOperation(view, conversion);
    },
    async restore(request) {
      const view = await management.restore({
        source: request.source,
        indexLink: request.indexLink || durableIndexLink,
        indexNamed: request.indexLink !== "",
        validateOnly: request.validateOnly,
        ...(request.targetTimeMicros !== undefined && { targetTimeMicros: request.targetTimeMicros }),
        ...(request.ifPositionMicros !== undefined && { ifPositionMicros: Number(request.ifPositionMicros) }),
        ...(request.backupName !== "" && { manifest: request.backupName }),
        ...(request.bearer !== "" && { bearer: request.bearer }),
        ...(request.baseSources.length > 0 && { baseSources: request.baseSources }),
        ...(request.requestId !== "" && { requestId: request.requestId }),
      });
      return toOperation(view, conversion);
    },
    undoRestore: async ({ indexLink }) => toOperation(await management.undoRestore(indexLink || durableIndexLink), conversion),
    verifyBackup: async ({ uri, backupName }) => toOperation(await management.verifyBackup(uri, backupName || undefined), conversion),
    describeBackup: async ({ uri, backupName }) => toBackup(await management.describeBackup(uri, backupName || undefined)),
    async listBackups({ uri, pageSize, pageToken }) {
      const all = await management.listBackups(uri);
      const after = readPageToken(backupsListing, pageToken);
      const start = after === undefined ? 0 : all.findIndex(({ name }) => name === after) + 1;
      if (after !== undefined && start === 0) throw badPageToken();
      const end = start + (pageSize || backupsPage);
      const page = all.slice(start, end);
      const last = page.at(-1);
      return {
        backups: page.map(toListedBackup),
        nextPageToken: end < all.length && last ? writePageToken(backupsListing, last.name) : "",
      };
    },
    diffBackups: () => notYet(),
    exportBackup: () => notYet(),
    describeMoment: () => notYet(),
    async pruneBackups({ uri, names, validateOnly, requestId }) {
      const prune = () => management.pruneBackups(uri, names, validateOnly);
      // Pruning what is gone already is an error, so without this a client could not safely try again.
      const { removedBackups, removedFiles, freedBytes } = await pruneOnce(requestId, JSON.stringify([uri, names, validateOnly]), prune);
      return { removedBackups, removedFiles, freedBytes: toInt64(freedBytes) };
    },
    streamBackup: (request, { signal }) => streamBackup(streams, request, signal),
    streamRestore: (requests, { signal }) => streamRestore(streams, requests, signal),
    getTransfer: ({ name }) => toTransfer(streams.transfers.get(transferName(name))),
    listTransfers: () => ({ transfers: streams.transfers.list().map(toTransfer) }),
    async deleteTransfer({ name }) {
      await streams.transfers.delete(transferName(name));
      return {};
    },
    watchOperation: ({ name }, { signal }) => watchOperation(operations, name, conversion, signal),
  };
}

function notYet(): never {
  throw new HostError("NOT_SUPPORTED", "This is not served yet.");
}

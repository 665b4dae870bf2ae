import type { ServiceImpl } from "@connectrpc/connect";
import {
  LockMode,
  type BackupRequest,
  type ManagementService as ManagementServiceDescriptor,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Retention } from "../../destination/destination.js";
import { limits } from "../../limits.js";
import { HostError } from "../../errors.js";
import { durableIndexLink } from "../../service/documents/factories.js";
import type { ManagementService } from "../../service/backups/management-service.js";
import { containerKind } from "../convert/backup.js";
import { fromCompression, fromDecryption, fromEncryption } from "../convert/encryption.js";
import { fromPointInTime, fromSelection } from "../convert/inspection.js";
import { toOperation, type OperationConversion } from "../convert/operation.js";

type StartMethod = "backup" | "restore" | "undoRestore" | "checkIndex" | "openBackup";

/** Throws REQUEST_INVALID for a mode without a time. */
function retentionOf({
  lockUntilMicros,
  lockMode,
}: Pick<BackupRequest, "lockUntilMicros" | "lockMode">): { retention?: Retention } {
  if (lockUntilMicros === undefined) {
    if (lockMode === LockMode.UNSPECIFIED) return {};
    throw new HostError("REQUEST_INVALID", "lock_mode requires lock_until_micros.", {
      metadata: { field: "lock_mode" },
    });
  }
  const mode = lockMode === LockMode.COMPLIANCE ? "COMPLIANCE" : "GOVERNANCE";
  // Stores keep whole seconds, and a lock must not end early.
  return { retention: { mode, untilMs: Math.ceil(Number(lockUntilMicros) / 1_000_000) * 1000 } };
}

/** Implements the methods that start an operation on an index. */
export function startMethods(
  management: ManagementService,
  conversion: OperationConversion,
  isLimited: (header: Headers) => boolean,
): Pick<ServiceImpl<typeof ManagementServiceDescriptor>, StartMethod> {
  return {
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
        ...retentionOf(request),
        ...fromEncryption(request.encryption),
        ...fromCompression(request.compression),
      });
      return toOperation(view, conversion);
    },
    async restore(request, { requestHeader }) {
      const view = await management.restore({
        source: request.source,
        indexLink: request.indexLink || durableIndexLink,
        indexNamed: request.indexLink !== "" && !isLimited(requestHeader),
        validateOnly: request.validateOnly,
        ...(request.targetTimeMicros !== undefined && {
          targetTimeMicros: request.targetTimeMicros,
        }),
        ...(request.ifPositionMicros !== undefined && {
          ifPositionMicros: Number(request.ifPositionMicros),
        }),
        ...fromDecryption(request.decryption),
        ...(request.backupName !== "" && { manifest: request.backupName }),
        ...(request.bearer !== "" && { bearer: request.bearer }),
        ...(request.selection && {
          selection: {
            ...fromSelection(request.selection),
            deleteOthers: request.selection.deleteOthers,
          },
        }),
        ...(request.baseSources.length > 0 && { baseSources: request.baseSources }),
        ...(request.requestId !== "" && { requestId: request.requestId }),
      });
      return toOperation(view, conversion);
    },
    async openBackup({ pointInTime, lifetimeMicros, requestId }) {
      const view = await management.openBackup({
        pointInTime: fromPointInTime(pointInTime),
        lifetimeMicros: Number(lifetimeMicros) || limits.openedLifetimeMicros,
        ...(requestId !== "" && { requestId }),
      });
      return toOperation(view, conversion);
    },
    checkIndex: async ({ indexLink }) =>
      toOperation(await management.checkIndex(indexLink || durableIndexLink), conversion),
    async undoRestore({ indexLink, validateOnly, ignorePartialRestores, ifLineage }) {
      const view = await management.undoRestore({
        indexLink: indexLink || durableIndexLink,
        validateOnly,
        ignorePartialRestores,
        ...(ifLineage !== "" && { ifLineage }),
      });
      return toOperation(view, conversion);
    },
  };
}

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type DiffBackupsRequest,
  type DiffBackupsResponseSchema,
  type ExportBackupRequest,
  type ExportBackupResponseSchema,
  type ManagementService as ManagementServiceDescriptor,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { renderDocument } from "../../document/render.js";
import { limits } from "../../limits.js";
import type { DiffProgress, InspectionService } from "../../service/backups/inspection.js";
import type { DocumentDifference } from "../../backup/point-in-time.js";
import type { ManagementService } from "../../service/backups/management-service.js";
import { withHeartbeat } from "../../service/backups/heartbeat.js";
import { toBackup, toListedBackup, toWindow } from "../convert/backup.js";
import {
  fromPointInTime,
  fromSelection,
  fromVerifyLevel,
  toDifference,
  toLogEntry,
} from "../convert/inspection.js";
import { fromDecryption } from "../convert/encryption.js";
import { toOperation, type OperationConversion } from "../convert/operation.js";
import { toInt64 } from "../convert/numbers.js";
import { BackupPages } from "./backup-pages.js";

const backupsPage = 100;

type InspectionMethod =
  | "verifyBackup"
  | "describeBackup"
  | "listBackups"
  | "diffBackups"
  | "exportBackup"
  | "describePointInTime"
  | "copyBackup"
  | "checkDestination";

/** Implements the methods on backups and destinations that require no index of the host. */
export function inspectionMethods(
  management: ManagementService,
  conversion: OperationConversion,
): Pick<ServiceImpl<typeof ManagementServiceDescriptor>, InspectionMethod> {
  const { inspection } = management;
  const pages = new BackupPages();
  return {
    async verifyBackup({ uri, backupName, level, samplePercent, decryption, compare }) {
      const view = await management.verifyBackup(uri, backupName || undefined, {
        level: fromVerifyLevel(level),
        samplePercent: samplePercent || limits.samplePercent,
        compare,
        ...fromDecryption(decryption),
      });
      return toOperation(view, conversion);
    },
    async copyBackup({ source, destination, backupName, requestId, catchUp }) {
      const view = await management.copyBackup({
        source,
        destination,
        ...(backupName !== "" && { backupName }),
        ...(requestId !== "" && { requestId }),
        catchUp,
      });
      return toOperation(view, conversion);
    },
    async describeBackup({ uri, backupName, decryption }, { signal }) {
      const options = { signal, ...fromDecryption(decryption) };
      return toBackup(await management.describeBackup(uri, backupName || undefined, options));
    },
    async listBackups(
      { uri, pageSize, pageToken, recursive, checkDigests, decryption },
      { signal },
    ) {
      const options = { signal, ...fromDecryption(decryption) };
      const list = () => management.listBackups(uri, { recursive, ...options });
      const asked = { uri, recursive, pageToken, pageSize: pageSize || backupsPage };
      const { listed, nextPageToken } = await pages.page(asked, list);
      const page = checkDigests ? await management.checkDigests(listed, options) : listed;
      return { backups: page.map(toListedBackup), nextPageToken };
    },
    async checkDestination({ uri }, { signal }) {
      const { freeBytes, features, ...check } = await management.checkDestination(uri, signal);
      return {
        ...check,
        features: features.map(({ consequence = "", ...feature }) => ({ ...feature, consequence })),
        ...(freeBytes !== undefined && { freeBytes: toInt64(freeBytes) }),
      };
    },
    diffBackups: (request, { signal }) => diffStream(inspection, request, signal),
    exportBackup: (request, { signal }) => exportStream(inspection, request, signal),
    async describePointInTime({ pointInTime, count }, { signal }) {
      const { before, after, afterCount, window } = await inspection.around(
        fromPointInTime(pointInTime),
        count,
        signal,
      );
      return {
        before: before.map(toLogEntry),
        after: after.map(toLogEntry),
        versionsAfter: toInt64(afterCount),
        window: toWindow(window),
      };
    },
  };
}

type DiffResponse = MessageInitShape<typeof DiffBackupsResponseSchema>;

function diffStream(
  inspection: InspectionService,
  request: DiffBackupsRequest,
  signal: AbortSignal,
): AsyncGenerator<DiffResponse> {
  let latest: DiffProgress | undefined;
  const differences = differencesOf(inspection, request, signal, (progress) => (latest = progress));
  if (!request.progress) return differences;
  return withHeartbeat(
    differences,
    limits.diffProgressMs,
    () =>
      latest && {
        progress: {
          ...latest,
          recordsDone: toInt64(latest.recordsDone),
          recordsTotal: toInt64(latest.recordsTotal),
        },
      },
  );
}

async function* differencesOf(
  inspection: InspectionService,
  { from, to, selection }: DiffBackupsRequest,
  signal: AbortSignal,
  onProgress: (progress: DiffProgress) => void,
): AsyncGenerator<DiffResponse> {
  let buffered: DocumentDifference[] = [];
  for await (const one of inspection.diff(
    fromPointInTime(from),
    fromPointInTime(to),
    selection && fromSelection(selection),
    signal,
    onProgress,
  )) {
    if ("link" in one) {
      buffered.push(one);
      if (buffered.length < limits.pageRows) continue;
      yield { differences: buffered.map(toDifference) };
      buffered = [];
      continue;
    }
    const { created, changed, deleted, unchanged, warnings } = one;
    const summary = {
      created: toInt64(created),
      changed: toInt64(changed),
      deleted: toInt64(deleted),
      unchanged: toInt64(unchanged),
      warnings,
    };
    yield { differences: buffered.map(toDifference), summary };
  }
}

async function* exportStream(
  inspection: InspectionService,
  { pointInTime, selection }: ExportBackupRequest,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof ExportBackupResponseSchema>> {
  let buffered: Uint8Array[] = [];
  let bytes = 0;
  let count = 0;
  const warnings: string[] = [];
  for await (const version of inspection.export(
    fromPointInTime(pointInTime),
    selection && fromSelection(selection),
    signal,
    (warning) => warnings.push(warning),
  )) {
    const text = Buffer.from(renderDocument(version));
    buffered.push(text);
    bytes += text.length;
    count += 1;
    if (bytes < limits.chunkBytes && buffered.length < limits.pageRows) continue;
    yield { documents: buffered };
    buffered = [];
    bytes = 0;
  }
  yield { documents: buffered, count: toInt64(count), warnings };
}

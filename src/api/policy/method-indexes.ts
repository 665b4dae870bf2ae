import type { Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import type {
  CompareDocumentVersionsRequest,
  ExportDocumentsRequest,
  GetDocumentVersionRequest,
  ImportDocumentsRequest,
} from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import {
  BackupRequestSchema,
  type BackupRequest,
  type DescribePointInTimeRequest,
  type DiffBackupsRequest,
  type ExportBackupRequest,
  type IndexPointInTime,
  type StreamBackupRequest,
  type StreamRestoreRequest,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Access } from "../../security/access.js";
import type { DocumentService } from "../../service/documents/document-service.js";
import { durableIndexLink } from "../../service/documents/factories.js";
import { toLink } from "../services/document-body.js";
import { indexOfVersion } from "../services/document-service.js";
import type { OperationService } from "../../operation/operation.js";
import { callerOf } from "./authorization.js";
import { map } from "../call/invoke.js";
import { isHealth, isReflection, rolesOfBackup } from "./method-roles.js";

/** Lookups needed to determine the index of a request. */
export interface IndexLookup {
  documents: Pick<DocumentService, "factoryOf" | "factoryOfDocument">;
  operations: Pick<OperationService, "get">;
}

/**
 * Returns the indexes a request refers to: an empty list if it refers to none, undefined if it is
 * not limited to single indexes.
 */
type IndexesOf = (message: Message, lookup: IndexLookup) => readonly string[] | undefined;

const rpcs = <T>(prefix: string, methods: Record<string, T>): [string, T][] =>
  Object.entries(methods).map(([name, value]) => [`${prefix}.${name}`, value]);

/**
 * Methods that refer to single indexes. Tokens limited to certain indexes may call only these, the
 * health service, and methods that describe the host.
 */
const indexesByMethod: ReadonlyMap<string, IndexesOf> = new Map<string, IndexesOf>([
  ...rpcs<IndexesOf>("holdfast.document.v1.DocumentService", {
    CreateDocument: byLink,
    GetDocument: byLink,
    PatchDocument: byLink,
    ReplaceDocument: byLink,
    DeleteDocument: byLink,
    ListDocuments: byGivenIndexOrLink,
    ListDocumentVersions: byGivenIndexOrLink,
    ExportDocuments: byLink,
    // Documents without a factory can be read too, so the index is not derived from the factory
    // alone.
    GetDocumentVersion: (message, { documents }) => {
      const { selfLink, indexLink } = message as GetDocumentVersionRequest;
      return [indexOfVersion(documents, toLink(selfLink), indexLink)];
    },
    CompareDocumentVersions: (message, { documents }) => {
      const { selfLink, from, to } = message as CompareDocumentVersionsRequest;
      return [from, to].map((one) =>
        indexOfVersion(documents, toLink(selfLink), one?.indexLink ?? ""),
      );
    },
    ImportDocuments: (message, lookup) => {
      const { message: part } = message as ImportDocumentsRequest;
      return part.case === "header" ? byLink(part.value, lookup) : [];
    },
  }),
  ...rpcs<IndexesOf>("holdfast.management.v1.ManagementService", {
    GetHost: () => [],
    GetStats: () => [],
    GetActivity: byIndex,
    Backup: byIndex,
    Restore: byIndex,
    UndoRestore: byIndex,
    CheckIndex: byIndex,
    // The backups at a destination may belong to any index, unlike the current state of an index.
    DiffBackups: (message) =>
      indexesOfPointsInTime(
        (message as DiffBackupsRequest).from,
        (message as DiffBackupsRequest).to,
      ),
    ExportBackup: (message) => indexesOfPointsInTime((message as ExportBackupRequest).pointInTime),
    DescribePointInTime: (message) =>
      indexesOfPointsInTime((message as DescribePointInTimeRequest).pointInTime),
    StreamBackup: (message) =>
      (message as StreamBackupRequest).transferName === "" ? byIndex(message) : undefined,
    StreamRestore: (message) => {
      const { message: part } = message as StreamRestoreRequest;
      if (part.case !== "header") return [];
      return part.value.transferName === "" ? byIndex(part.value) : undefined;
    },
    WatchOperation: byOperation,
  }),
  ...rpcs<IndexesOf>("google.longrunning.Operations", {
    GetOperation: byOperation,
    WaitOperation: byOperation,
    CancelOperation: byOperation,
  }),
]);

/** Methods that tokens limited to certain indexes may call. */
export const indexScopedMethods: ReadonlySet<string> = new Set(indexesByMethod.keys());

function byLink(message: Message, { documents }: IndexLookup): string[] {
  const { selfLink, factoryLink = "" } = message as Message & { selfLink?: string } & Partial<
      Pick<ExportDocumentsRequest, "factoryLink">
    >;
  const index = (
    selfLink === undefined
      ? documents.factoryOf(toLink(factoryLink))
      : documents.factoryOfDocument(toLink(selfLink))
  )?.indexLink;
  return index === undefined ? [] : [index];
}

/** The index that a request names; otherwise that of its link. */
function byGivenIndexOrLink(message: Message, lookup: IndexLookup): string[] {
  const { indexLink } = message as Message & Pick<BackupRequest, "indexLink">;
  return indexLink === "" ? byLink(message, lookup) : [toLink(indexLink)];
}

function byIndex(message: Message): string[] {
  return [(message as Message & Pick<BackupRequest, "indexLink">).indexLink || durableIndexLink];
}

function byOperation(message: Message, { operations }: IndexLookup): string[] {
  return [operations.get((message as Pick<Operation, "$typeName" | "name">).name).indexLink];
}

function indexesOfPointsInTime(...all: (IndexPointInTime | undefined)[]): string[] | undefined {
  return all.some((point) => point !== undefined && point.uri !== "")
    ? undefined
    : all.map((point) => point?.indexLink || durableIndexLink);
}

/**
 * Enforces access rules that depend on the message: limits of a token to certain indexes, and roles
 * that depend on the destination.
 */
export function messageAccessInterceptor(access: Access, lookup: IndexLookup): Interceptor {
  return (next) => (request) => {
    if (!request.stream && request.message.$typeName === BackupRequestSchema.typeName)
      access.requireRole(
        callerOf(request),
        request.method.name,
        rolesOfBackup((request.message as BackupRequest).destination),
      );
    // Reading the headers of a call may cost more than the call itself.
    if (!access.limitsIndexes()) return next(request);
    const caller = callerOf(request);
    if (access.indexesOf(caller) === undefined) return next(request);
    const { method } = request;
    if (isHealth(method) || isReflection(method)) return next(request);
    const indexesOf =
      indexesByMethod.get(`${method.parent.typeName}.${method.name}`) ?? (() => undefined);
    const checked = (message: Message) => {
      access.requireIndexes(caller, method.name, indexesOf(message, lookup));
      return message;
    };
    if (request.stream) return next({ ...request, message: map(request.message, checked) });
    checked(request.message);
    return next(request);
  };
}

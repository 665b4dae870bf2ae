import type { Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import type { Operation } from "../../../gen/ts/google/longrunning/operations_pb.js";
import type {
  ExportDocumentsRequest,
  GetDocumentVersionRequest,
  ImportDocumentsRequest,
} from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import {
  BackupRequestSchema,
  type BackupRequest,
  type DescribeMomentRequest,
  type DiffBackupsRequest,
  type ExportBackupRequest,
  type IndexMoment,
  type StreamBackupRequest,
  type StreamRestoreRequest,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import type { Access } from "../../security/access.js";
import type { DocumentService } from "../../service/documents/document-service.js";
import { durableIndexLink } from "../../service/documents/factories.js";
import { toLink } from "../services/document-body.js";
import { indexOfVersion } from "../services/document-service.js";
import type { OperationService } from "../../service/backups/management-service.js";
import { callerOf } from "./authorization.js";
import { map } from "../call/invoke.js";
import { isHealth, isReflection, rolesOfBackup } from "./method-roles.js";

/** What is looked up to tell of which index a request is. */
export interface IndexLookup {
  documents: Pick<DocumentService, "factoryOf" | "factoryOfDocument">;
  operations: Pick<OperationService, "get">;
}

/** The indexes that a request is of; none: it says nothing of one, and will find nothing; undefined: it is not of single indexes. */
type IndexesOf = (message: Message, lookup: IndexLookup) => readonly string[] | undefined;

const rpcs = <T>(prefix: string, methods: Record<string, T>): [string, T][] =>
  Object.entries(methods).map(([name, value]) => [`${prefix}.${name}`, value]);

/**
 * By method; a method that is not here is not of single indexes, and so closed to tokens that are for some. Those of the health service, and
 * what only tells what the host is, are open to them.
 */
const indexesByMethod: ReadonlyMap<string, IndexesOf> = new Map<string, IndexesOf>([
  ...rpcs<IndexesOf>("holdfast.document.v1.DocumentService", {
    CreateDocument: byLink,
    GetDocument: byLink,
    PatchDocument: byLink,
    ReplaceDocument: byLink,
    DeleteDocument: byLink,
    ListDocuments: byLink,
    ListDocumentVersions: byLink,
    ExportDocuments: byLink,
    // Versions of documents that no factory serves any more are read too.
    GetDocumentVersion: (message, { documents }) => {
      const { selfLink, indexLink } = message as GetDocumentVersionRequest;
      return [indexOfVersion(documents, toLink(selfLink), indexLink)];
    },
    ImportDocuments: (message, lookup) => {
      const { message: part } = message as ImportDocumentsRequest;
      return part.case === "header" ? byLink(part.value, lookup) : [];
    },
  }),
  ...rpcs<IndexesOf>("holdfast.management.v1.ManagementService", {
    GetHost: () => [],
    GetStats: () => [],
    Backup: byIndex,
    Restore: byIndex,
    UndoRestore: byIndex,
    CheckIndex: byIndex,
    // What lies at a destination may be of any index; the live one says which it is.
    DiffBackups: (message) =>
      moments((message as DiffBackupsRequest).from, (message as DiffBackupsRequest).to),
    ExportBackup: (message) => moments((message as ExportBackupRequest).moment),
    DescribeMoment: (message) => moments((message as DescribeMomentRequest).moment),
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

/** Every method that tokens for some indexes may call. */
export const methodsOfIndexes: ReadonlySet<string> = new Set(indexesByMethod.keys());

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

function byIndex(message: Message): string[] {
  return [(message as Message & Pick<BackupRequest, "indexLink">).indexLink || durableIndexLink];
}

function byOperation(message: Message, { operations }: IndexLookup): string[] {
  return [operations.get((message as Pick<Operation, "$typeName" | "name">).name).indexLink];
}

function moments(...all: (IndexMoment | undefined)[]): string[] | undefined {
  return all.some((moment) => moment !== undefined && moment.uri !== "")
    ? undefined
    : all.map((moment) => moment?.indexLink || durableIndexLink);
}

/** Refuses what the message shows that a caller may not do: what a token for some indexes asks of others, and what takes another role than its method. */
export function messageAccessInterceptor(access: Access, lookup: IndexLookup): Interceptor {
  return (next) => (request) => {
    if (!request.stream && request.message.$typeName === BackupRequestSchema.typeName)
      access.requireRole(
        callerOf(request),
        request.method.name,
        rolesOfBackup((request.message as BackupRequest).destination),
      );
    // To look at the headers of each call costs more than many calls.
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

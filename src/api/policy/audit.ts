import { isMessage, type Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { OperationSchema } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { withoutSecrets } from "../../security/secrets.js";
import type { Auditor, AuditEvent } from "../../service/host/auditor.js";
import { callerOf } from "./authorization.js";
import { map } from "../call/invoke.js";

/**
 * Methods recorded in the audit log: those that create, change, remove or return backups, restore,
 * delete documents, or change settings of the host. Reads and writes of single documents are too
 * frequent; an import is recorded as one entry.
 */
export const auditedMethods: ReadonlySet<string> = new Set([
  ...["DeleteDocument", "ImportDocuments"].map(
    (name) => `holdfast.document.v1.DocumentService.${name}`,
  ),
  ...[
    ...["Backup", "Restore", "UndoRestore", "VerifyBackup", "CheckIndex", "PruneBackups"],
    ...["CheckDestination", "CopyBackup", "PinBackup", "UnpinBackup"],
    ...["OpenBackup", "CloseBackup"],
    ...[
      "DescribeBackup",
      "ListBackups",
      "DiffBackups",
      "ExportBackup",
      "DescribePointInTime",
      "StreamBackup",
      "StreamRestore",
      "DeleteTransfer",
    ],
    ...[
      "ConfigureAutoBackup",
      "ConfigureRequestLogging",
      "ConfigureOperationTracing",
      "SynchronizeWithPeers",
      "Shutdown",
    ],
  ].map((name) => `holdfast.management.v1.ManagementService.${name}`),
  ...[
    ...["CreatePolicy", "UpdatePolicy", "DeletePolicy", "PausePolicy", "ResumePolicy"],
    ...["RunPolicy", "ReplayDelivery", "TestNotifications"],
  ].map((name) => `holdfast.management.v1.PolicyService.${name}`),
  "google.bytestream.ByteStream.Read",
  "google.bytestream.ByteStream.Write",
  "google.longrunning.Operations.CancelOperation",
  "google.longrunning.Operations.DeleteOperation",
]);

/**
 * Records calls of audited methods: unary calls before the response is observe, streams when they
 * end.
 */
export function auditInterceptor(auditor: Auditor): Interceptor {
  return (next) => async (request) => {
    const { method } = request;
    if (!auditedMethods.has(`${method.parent.typeName}.${method.name}`)) return next(request);
    const caller = callerOf(request);
    const action = method.name;
    if (!request.stream) {
      const operationOf = ({ message }: Awaited<ReturnType<typeof next>>) =>
        nameOfOperation(message);
      return auditor.during(
        caller,
        { action, subject: subjectOf(request.message) },
        () => next(request),
        operationOf,
      );
    }
    const event: AuditEvent = { action };
    const observe = (message: Message) => {
      event.subject ??= subjectOf(message);
      return message;
    };
    try {
      const response = await next({ ...request, message: map(request.message, observe) });
      return response.stream
        ? { ...response, message: auditor.stream(caller, event, response.message) }
        : response;
    } catch (thrown) {
      await auditor.record(caller, event, thrown);
      throw thrown;
    }
  };
}

function nameOfOperation(message: unknown): string | undefined {
  return isMessage(message, OperationSchema) && message.name !== "" ? message.name : undefined;
}

/** Fields of request messages that identify the subject of a request. */
const subjectFields = [
  "selfLink",
  "factoryLink",
  "destination",
  "source",
  "baseSources",
  "uri",
  "indexLink",
  "backupName",
  "names",
  "resourceName",
  "transferName",
  "name",
  "enabled",
  "level",
];
/** Message fields that contain such fields: the header of a stream, and the states of an index. */
const nestedFields = ["message", "value", "header", "pointInTime", "from", "to", "policy"];

/** Returns the subject of a request as text without secrets, or undefined if it names none. */
export function subjectOf(message: object): string | undefined {
  const fields = message as Record<string, unknown>;
  const own = subjectFields.flatMap((name) => {
    const value = fields[name];
    const texts = Array.isArray(value) ? value : [value];
    return texts.flatMap((text) =>
      typeof text === "string" && text !== ""
        ? [withoutSecrets(text)]
        : typeof text === "boolean"
          ? [`${name}=${text}`]
          : [],
    );
  });
  const nested = nestedFields.flatMap((name) => {
    const value = fields[name];
    return typeof value === "object" && value !== null && !(value instanceof Uint8Array)
      ? (subjectOf(value) ?? [])
      : [];
  });
  const all = [...own, ...nested];
  return all.length === 0 ? undefined : all.join(" ");
}

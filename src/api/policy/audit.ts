import { isMessage, type Message } from "@bufbuild/protobuf";
import type { Interceptor } from "@connectrpc/connect";
import { OperationSchema } from "../../../gen/ts/google/longrunning/operations_pb.js";
import { withoutSecrets } from "../../security/secrets.js";
import type { Auditor, Deed } from "../../service/host/auditor.js";
import { callerOf } from "./authorization.js";
import { map } from "../call/invoke.js";

/**
 * What is written down: all that makes, changes, removes or gives out a backup, that restores, deletes, or sets how the host works.
 * Single documents that are read and written are too many; imports are one.
 */
export const auditedMethods: ReadonlySet<string> = new Set([
  ...["DeleteDocument", "ImportDocuments"].map(
    (name) => `holdfast.document.v1.DocumentService.${name}`,
  ),
  ...[
    ...["Backup", "Restore", "UndoRestore", "VerifyBackup", "CheckIndex", "PruneBackups"],
    ...[
      "DescribeBackup",
      "ListBackups",
      "DiffBackups",
      "ExportBackup",
      "DescribeMoment",
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
  "google.bytestream.ByteStream.Read",
  "google.bytestream.ByteStream.Write",
  "google.longrunning.Operations.CancelOperation",
  "google.longrunning.Operations.DeleteOperation",
]);

/** Records the calls of audited methods: a single answer before it is sent, a stream when it has ended. */
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
    const deed: Deed = { action };
    const sent = (message: Message) => {
      deed.subject ??= subjectOf(message);
      return message;
    };
    try {
      const response = await next({ ...request, message: map(request.message, sent) });
      return response.stream
        ? { ...response, message: auditor.stream(caller, deed, response.message) }
        : response;
    } catch (thrown) {
      await auditor.ended(caller, deed, thrown);
      throw thrown;
    }
  };
}

function nameOfOperation(message: unknown): string | undefined {
  return isMessage(message, OperationSchema) && message.name !== "" ? message.name : undefined;
}

/** Fields that say what a request is about, by their names in any of the messages. */
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
/** Fields with a message that has them: the beginning of a stream, and the moments of a backup. */
const nestedFields = ["message", "value", "header", "moment", "from", "to"];

/** What a request is about, as text without secrets; undefined where it names nothing. */
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

import type { DescMethod } from "@bufbuild/protobuf";
import type { Access } from "../../security/access.js";
import type { RequiredRoles, Role } from "../../security/roles.js";
import type { Authorize } from "./authorization.js";

/** Who may start an operation may follow it and call it off. */
const followers: readonly Role[] = ["read", "backup", "restore"];

const streamers: readonly Role[] = ["backup", "restore"];

/** What hands out documents of a backup: to make backups does not include to read them. */
const readers = { all: ["backup", "read"] } as const;

/** What goes to another server leaves this host with its documents, whoever that server belongs to. */
export function rolesOfBackup(destination: string): RequiredRoles {
  return /^\s*https?:/i.test(destination) ? readers : "backup";
}

/** The role that each method takes, or any of several. One that is not listed takes admin: a new method is closed until it is opened here. */
const rolesByMethod: Readonly<Record<string, RequiredRoles>> = {
  "holdfast.document.v1.DocumentService.CreateDocument": "write",
  "holdfast.document.v1.DocumentService.PatchDocument": "write",
  "holdfast.document.v1.DocumentService.ReplaceDocument": "write",
  "holdfast.document.v1.DocumentService.DeleteDocument": "write",
  "holdfast.document.v1.DocumentService.GetDocument": "read",
  "holdfast.document.v1.DocumentService.ListDocuments": "read",
  "holdfast.document.v1.DocumentService.GetDocumentVersion": "read",
  "holdfast.document.v1.DocumentService.ListDocumentVersions": "read",
  "holdfast.management.v1.ManagementService.GetHost": "read",
  "holdfast.management.v1.ManagementService.Backup": "backup",
  "holdfast.management.v1.ManagementService.VerifyBackup": "backup",
  "holdfast.management.v1.ManagementService.CheckIndex": "backup",
  "holdfast.management.v1.ManagementService.DescribeBackup": "backup",
  "holdfast.management.v1.ManagementService.ListBackups": "backup",
  "holdfast.management.v1.ManagementService.DiffBackups": readers,
  "holdfast.management.v1.ManagementService.ExportBackup": readers,
  "holdfast.management.v1.ManagementService.DescribeMoment": readers,
  "holdfast.management.v1.ManagementService.Restore": "restore",
  "holdfast.management.v1.ManagementService.UndoRestore": "restore",
  "holdfast.management.v1.ManagementService.PruneBackups": "admin",
  "holdfast.management.v1.ManagementService.ConfigureAutoBackup": "admin",
  "holdfast.management.v1.ManagementService.ConfigureRequestLogging": "admin",
  "holdfast.management.v1.ManagementService.ConfigureOperationTracing": "admin",
  "holdfast.management.v1.ManagementService.SynchronizeWithPeers": "admin",
  "holdfast.management.v1.ManagementService.GetStats": "read",
  "holdfast.management.v1.ManagementService.Shutdown": "admin",
  "holdfast.management.v1.ManagementService.StreamBackup": readers,
  "holdfast.management.v1.ManagementService.StreamRestore": "restore",
  "holdfast.management.v1.ManagementService.GetTransfer": streamers,
  "holdfast.management.v1.ManagementService.ListTransfers": streamers,
  "holdfast.management.v1.ManagementService.DeleteTransfer": streamers,
  "holdfast.management.v1.ManagementService.WatchOperation": followers,
  "holdfast.document.v1.DocumentService.ImportDocuments": "write",
  "holdfast.document.v1.DocumentService.ExportDocuments": "read",
  "google.bytestream.ByteStream.Read": readers,
  "google.bytestream.ByteStream.Write": "restore",
  "google.bytestream.ByteStream.QueryWriteStatus": streamers,
  "google.longrunning.Operations.GetOperation": followers,
  "google.longrunning.Operations.ListOperations": followers,
  "google.longrunning.Operations.WaitOperation": followers,
  "google.longrunning.Operations.CancelOperation": ["backup", "restore"],
  "google.longrunning.Operations.DeleteOperation": "admin",
};

export const isHealth = ({ parent }: DescMethod) => parent.typeName === "grpc.health.v1.Health";
export const isReflection = ({ parent }: DescMethod) =>
  parent.typeName.startsWith("grpc.reflection.");

/** Health answers anybody, as load balancers ask without a token; all else goes by the token's roles. */
export function authorizeMethods(access: Access): Authorize {
  return (method, caller) => {
    if (isHealth(method)) return;
    const role = isReflection(method)
      ? followers
      : (rolesByMethod[`${method.parent.typeName}.${method.name}`] ?? "admin");
    access.requireRole(caller, method.name, role);
  };
}

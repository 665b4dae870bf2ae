import type { DescMethod } from "@bufbuild/protobuf";
import type { Access } from "../../security/access.js";
import type { RequiredRoles, Role } from "../../security/roles.js";
import type { Authorize } from "./authorization.js";

/** Roles that may start an operation may also watch and cancel it. */
const watchers: readonly Role[] = ["read", "backup", "restore"];

const streamers: readonly Role[] = ["backup", "restore"];

/**
 * Roles for returning documents of a backup: the role backup alone does not allow reading
 * documents.
 */
const readers = { all: ["backup", "read"] } as const;

/**
 * Returns the roles for a backup. One to an HTTP destination also requires read, because documents
 * leave the host.
 */
export function rolesOfBackup(destination: string): RequiredRoles {
  return /^\s*https?:/i.test(destination) ? readers : "backup";
}

/** Roles required by each method; with several, any suffices. Methods not listed require admin. */
const rolesByMethod: Readonly<Record<string, RequiredRoles>> = {
  "holdfast.document.v1.DocumentService.CreateDocument": "write",
  "holdfast.document.v1.DocumentService.PatchDocument": "write",
  "holdfast.document.v1.DocumentService.ReplaceDocument": "write",
  "holdfast.document.v1.DocumentService.DeleteDocument": "write",
  "holdfast.document.v1.DocumentService.GetDocument": "read",
  "holdfast.document.v1.DocumentService.ListDocuments": "read",
  "holdfast.document.v1.DocumentService.GetDocumentVersion": "read",
  "holdfast.document.v1.DocumentService.ListDocumentVersions": "read",
  "holdfast.document.v1.DocumentService.CompareDocumentVersions": "read",
  "holdfast.management.v1.ManagementService.GetHost": "read",
  "holdfast.management.v1.ManagementService.Backup": "backup",
  "holdfast.management.v1.ManagementService.VerifyBackup": "backup",
  "holdfast.management.v1.ManagementService.CheckIndex": "backup",
  "holdfast.management.v1.ManagementService.DescribeBackup": "backup",
  "holdfast.management.v1.ManagementService.ListBackups": "backup",
  "holdfast.management.v1.ManagementService.CheckDestination": "backup",
  "holdfast.management.v1.ManagementService.DiffBackups": readers,
  "holdfast.management.v1.ManagementService.ExportBackup": readers,
  "holdfast.management.v1.ManagementService.DescribePointInTime": readers,
  "holdfast.management.v1.ManagementService.OpenBackup": readers,
  "holdfast.management.v1.ManagementService.CloseBackup": readers,
  "holdfast.management.v1.ManagementService.Restore": "restore",
  "holdfast.management.v1.ManagementService.UndoRestore": "restore",
  "holdfast.management.v1.ManagementService.PinBackup": "backup",
  "holdfast.management.v1.ManagementService.UnpinBackup": "prune",
  "holdfast.management.v1.ManagementService.PruneBackups": "prune",
  "holdfast.management.v1.ManagementService.ConfigureAutoBackup": "admin",
  "holdfast.management.v1.ManagementService.ConfigureRequestLogging": "admin",
  "holdfast.management.v1.ManagementService.ConfigureOperationTracing": "admin",
  "holdfast.management.v1.ManagementService.SynchronizeWithPeers": "admin",
  "holdfast.management.v1.ManagementService.GetStats": "read",
  "holdfast.management.v1.ManagementService.GetActivity": "read",
  "holdfast.management.v1.ManagementService.Shutdown": "admin",
  "holdfast.management.v1.ManagementService.StreamBackup": readers,
  "holdfast.management.v1.ManagementService.StreamRestore": "restore",
  "holdfast.management.v1.ManagementService.GetTransfer": streamers,
  "holdfast.management.v1.ManagementService.ListTransfers": streamers,
  "holdfast.management.v1.ManagementService.DeleteTransfer": streamers,
  "holdfast.management.v1.ManagementService.WatchOperation": watchers,
  ...Object.fromEntries(
    [
      ...["GetPolicy", "ListPolicies", "RunPolicy", "PreviewPolicy", "ListPolicyRuns"],
      ...["ListDeliveries", "TestNotifications", "ReplayDelivery"],
    ].map((name) => [`holdfast.management.v1.PolicyService.${name}`, "backup" as const]),
  ),
  ...Object.fromEntries(
    ["CreatePolicy", "UpdatePolicy", "DeletePolicy", "PausePolicy", "ResumePolicy"].map((name) => [
      `holdfast.management.v1.PolicyService.${name}`,
      "admin" as const,
    ]),
  ),
  "holdfast.management.v1.ManagementService.CopyBackup": "backup",
  "holdfast.document.v1.DocumentService.ImportDocuments": "write",
  "holdfast.document.v1.DocumentService.ExportDocuments": "read",
  "google.bytestream.ByteStream.Read": readers,
  "google.bytestream.ByteStream.Write": "restore",
  "google.bytestream.ByteStream.QueryWriteStatus": streamers,
  "google.longrunning.Operations.GetOperation": watchers,
  "google.longrunning.Operations.ListOperations": watchers,
  "google.longrunning.Operations.WaitOperation": watchers,
  "google.longrunning.Operations.CancelOperation": ["backup", "restore"],
  "google.longrunning.Operations.DeleteOperation": "admin",
};

/** Whether a method belongs to the health service. */
export const isHealth = ({ parent }: DescMethod) => parent.typeName === "grpc.health.v1.Health";
/** Whether a method belongs to the reflection service. */
export const isReflection = ({ parent }: DescMethod) =>
  parent.typeName.startsWith("grpc.reflection.");

/**
 * Authorizes methods by the roles of the token. The health service requires no token, for load
 * balancers.
 */
export function authorizeMethods(access: Access): Authorize {
  return (method, caller) => {
    if (isHealth(method)) return;
    const role = isReflection(method)
      ? watchers
      : (rolesByMethod[`${method.parent.typeName}.${method.name}`] ?? "admin");
    access.requireRole(caller, method.name, role);
  };
}

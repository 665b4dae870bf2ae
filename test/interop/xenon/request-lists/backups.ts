import { ask, manage, type ListedRequest } from "../request.js";

const backup = (name: string, fields: object, more: Partial<ListedRequest> = {}) =>
  manage(`backup ${name}`, "BackupRequest", fields, more);
const memory = "/core/in-memory-document-index";

/** Backups of each type, and invalid requests. */
export const backupRequests: readonly ListedRequest[] = [
  backup("as ZIP", { destination: "file:{dir}/a.zip", backupType: "ZIP" }),
  backup("without a type", { destination: "file:{dir}/b.zip" }),
  backup("over the same ZIP", { destination: "file:{dir}/a.zip", backupType: "ZIP" }),
  backup("with three slashes", { destination: "file://{dir}/c.zip", backupType: "ZIP" }),
  backup("with an unknown field", {
    destination: "file:{dir}/d.zip",
    backupType: "ZIP",
    color: "red",
  }),
  backup("as DIRECTORY", { destination: "file:{dir}/full", backupType: "DIRECTORY" }),
  backup("as DIRECTORY again", { destination: "file:{dir}/full", backupType: "DIRECTORY" }),
  backup("as DIRECTORY with a slash", {
    destination: "file:{dir}/full-2/",
    backupType: "DIRECTORY",
  }),
  backup("as DIRECTORY into one that is empty", {
    destination: "file:{dir}/a-directory",
    backupType: "DIRECTORY",
  }),
  backup("in memory as ZIP", {
    destination: "file:{dir}/memory.zip",
    backupType: "ZIP",
    indexServiceLink: memory,
  }),
  backup("in memory as DIRECTORY", {
    destination: "file:{dir}/memory",
    backupType: "DIRECTORY",
    indexServiceLink: memory,
    backupServiceLink: "/core/document-index-backup",
  }),
  backup("to a missing parent as ZIP", {
    destination: "file:{dir}/no/such/a.zip",
    backupType: "ZIP",
  }),
  backup("to a missing parent as DIRECTORY", {
    destination: "file:{dir}/no/such",
    backupType: "DIRECTORY",
  }),
  backup("without a destination", { backupType: "ZIP" }),
  backup("without a destination as DIRECTORY", { backupType: "DIRECTORY" }),
  backup("without a destination as STREAM", { backupType: "STREAM" }),
  backup("as STREAM to a file", { destination: "file:{dir}/s.zip", backupType: "STREAM" }),
  backup("of an unknown type", { destination: "file:{dir}/tape", backupType: "TAPE" }),
  backup("of no type", { destination: "file:{dir}/null", backupType: null }),
  backup("as ZIP to a directory", { destination: "file:{dir}/full", backupType: "ZIP" }),
  backup("as DIRECTORY to a file", { destination: "file:{dir}/a-file", backupType: "DIRECTORY" }),
  backup("to ftp", { destination: "ftp://127.0.0.1/x", backupType: "ZIP" }),
  backup("to a URI without a scheme", { destination: "x.zip", backupType: "ZIP" }),
  backup("of an unknown index", {
    destination: "file:{dir}/f.zip",
    backupType: "ZIP",
    indexServiceLink: "/core/no-such-index",
  }),
  backup("by an unknown service", {
    destination: "file:{dir}/g.zip",
    backupType: "ZIP",
    backupServiceLink: "/core/no-such-backup",
  }),
  backup(
    "with respond-async",
    { destination: "file:{dir}/h.zip", backupType: "ZIP" },
    { headers: { prefer: "respond-async" } },
  ),
  backup("over a foreign file", { destination: "file:{dir}/a-file", backupType: "ZIP" }),
  backup("as STREAM to an unknown service", {
    destination: "{url}/local-files/unknown",
    backupType: "STREAM",
  }),
  manage("an unknown kind", "Nonsense", { destination: "file:{dir}/i.zip" }),
  ask("no kind", "PATCH", "/core/management", { destination: "file:{dir}/i.zip" }),
  ask("an empty object", "PATCH", "/core/management", {}),
  ask("an empty body", "PATCH", "/core/management"),
  ask("bad JSON for management", "PATCH", "/core/management", "{nope"),
  ask("an array for management", "PATCH", "/core/management", []),
  ask("patch of the backup service", "PATCH", "/core/document-index-backup", {
    kind: "com:vmware:xenon:services:common:ServiceHostManagementService:BackupRequest",
    destination: "file:{dir}/j.zip",
    backupType: "ZIP",
  }),
  ask("get of the backup service", "GET", "/core/document-index-backup"),
  ask("post to management", "POST", "/core/management", {
    kind: "com:vmware:xenon:services:common:ServiceHostManagementService:BackupRequest",
    destination: "file:{dir}/k.zip",
  }),
];

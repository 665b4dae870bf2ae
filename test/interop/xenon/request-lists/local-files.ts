import { ask, manage, type ListedRequest } from "../request.js";

const service = (link: string, file: string, fileOptions?: string[]) => ({
  documentSelfLink: link,
  localFileUri: `file:{dir}/${file}`,
  ...(fileOptions && { fileOptions }),
});
const writable = ["WRITE", "CREATE"];
const part = (range?: string, type = "application/octet-stream") => ({
  headers: { "content-type": type, ...(range !== undefined && { "content-range": range }) },
});
const ranged = (range: string) => ({ headers: { range } });
const small = "/local-files/small";

/** File services: created, written in parts, read by range, finished; backups to and from them. */
export const localFileRequests: readonly ListedRequest[] = [
  ask("no file services", "GET", "/local-files"),
  ask("a file service", "POST", "/local-files", service("up", "up.zip", writable)),
  ask("a file service of a taken link", "POST", "/local-files", service("up", "up.zip", writable)),
  ask("a file service without a file", "POST", "/local-files", { documentSelfLink: "bad" }),
  ask("a file service without a body", "POST", "/local-files"),
  ask(
    "a file service of a missing file",
    "POST",
    "/local-files",
    service("not-there", "not-there.zip", ["WRITE"]),
  ),
  ask("a small file service", "POST", "/local-files", service("small", "small.bin", writable)),
  ask("a file service without options", "POST", "/local-files", service("plain", "a-file")),
  ask("put of a file's bytes", "PUT", small, "0123456789", part("bytes 0-10/10")),
  ask("get of a file service", "GET", small),
  ask("get of a range", "GET", small, undefined, ranged("bytes=2-5")),
  ask("get of a range beyond the end", "GET", small, undefined, ranged("bytes=4-9999")),
  ask("get of an open range", "GET", small, undefined, ranged("bytes=4-")),
  ask("get of a range behind the end", "GET", small, undefined, ranged("bytes=50-60")),
  ask("put without a range", "PUT", "/local-files/small", "abcde", part()),
  ask("put of JSON", "PUT", small, '{"a":1}', part("bytes 0-7/7", "application/json")),
  ask("get of a whole file", "GET", small, undefined, ranged("bytes=0-524288")),
  ask("the end of writing", "PATCH", small, { writeFinished: true }),
  ask("put after the end", "PUT", small, "xyz", part("bytes 0-3/3")),
  ask("get of an unknown file service", "GET", "/local-files/nobody"),
  ask("put to an unknown file service", "PUT", "/local-files/nobody", "x", part("bytes 0-1/1")),
  ask("the file services", "GET", "/local-files"),
  manage("backup as STREAM to a file service", "BackupRequest", {
    destination: "{url}/local-files/up",
    backupType: "STREAM",
  }),
  manage("backup to a file service without a type", "BackupRequest", {
    destination: "{url}/local-files/up",
  }),
  manage("backup to a file service as ZIP", "BackupRequest", {
    destination: "{url}/local-files/up",
    backupType: "ZIP",
  }),
  manage("backup to a file service as DIRECTORY", "BackupRequest", {
    destination: "{url}/local-files/up",
    backupType: "DIRECTORY",
  }),
  manage("backup to a file service with a bearer", "BackupRequest", {
    destination: "{url}/local-files/up",
    backupType: "STREAM",
    bearer: "secret",
  }),
  manage("backup to a missing file", "BackupRequest", {
    destination: "{url}/local-files/not-there",
    backupType: "STREAM",
  }),
  ask("get of a file service that holds a backup", "GET", "/local-files/up"),
  ask(
    "a file service of the other host",
    "POST",
    "/local-files",
    service("up", "other.zip", writable),
    { on: "second" },
  ),
  manage("backup to the other host", "BackupRequest", {
    destination: "{second}/local-files/up",
    backupType: "STREAM",
  }),
  ask("delete of a file service", "DELETE", small),
  ask("get of a deleted file service", "GET", small),
];

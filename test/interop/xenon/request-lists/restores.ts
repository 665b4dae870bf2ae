import { ask, manage, type ListedRequest } from "../request.js";

const restore = (name: string, fields: object, more: Partial<ListedRequest> = {}) =>
  manage(`restore ${name}`, "RestoreRequest", fields, more);
const memory = "/core/in-memory-document-index";
const second = { on: "second" } as const;

/** Restores: to a point in time on a new host, in memory, and refused requests. */
export const restoreRequests: readonly ListedRequest[] = [
  restore(
    "to a point in time on a new host",
    { destination: "file:{dir}/a.zip", timeSnapshotBoundaryMicros: "#t4" },
    second,
  ),
  ask("restored: the last document of the point in time", "GET", "/core/examples/n-4", undefined, {
    ...second,
    restart: true,
  }),
  ask("restored: made later", "GET", "/core/examples/n-5", undefined, second),
  ask("restored: deleted before", "GET", "/core/examples/one", undefined, second),
  ask("restored: the count", "GET", "/core/examples?$count=true", undefined, second),
  ask("restored: the listing", "GET", "/core/examples", undefined, second),
  ask("restored: another factory", "GET", "/core/indexed-metadata-examples/x1", undefined, second),
  ask(
    "restored: an old version",
    "GET",
    "/core/document-index?documentSelfLink=/core/examples/one&documentVersion=0",
    undefined,
    second,
  ),
  ask("restored: a later patch", "PATCH", "/core/examples/n-4", { name: "onward" }, second),
  ask(
    "restored: a new one",
    "POST",
    "/core/examples",
    { documentSelfLink: "new", name: "new" },
    second,
  ),
  restore("in memory", { destination: "file:{dir}/memory.zip", indexServiceLink: memory }),
  ask("restored in memory", "GET", "/core/in-memory-examples/m1", undefined, {
    until: (body) => body["name"] === "m1",
  }),
  restore("in memory from a directory", {
    destination: "file:{dir}/memory",
    indexServiceLink: memory,
  }),
  restore("without a destination", {}),
  restore("from ftp", { destination: "ftp://127.0.0.1/x" }),
  restore("of an unknown index", {
    destination: "file:{dir}/a.zip",
    indexServiceLink: "/core/no-such-index",
  }),
  restore("by an unknown service", {
    destination: "file:{dir}/a.zip",
    backupServiceLink: "/core/no-such-backup",
  }),
  restore("from a URI without a scheme", { destination: "a.zip" }),
  ask(
    "a file service to restore from",
    "POST",
    "/local-files",
    { documentSelfLink: "down", localFileUri: "file:{dir}/other.zip" },
    second,
  ),
  restore("from the other host", { destination: "{second}/local-files/down" }),
  ask("restored from the other host", "GET", "/core/examples/n-8", undefined, { restart: true }),
  restore("from a directory", { destination: "file:{dir}/full" }),
  ask("restored from a directory", "GET", "/core/examples?$count=true", undefined, {
    restart: true,
  }),
  ask("restored from a directory: a document", "GET", "/core/examples/n-8"),
  restore(
    "to before everything",
    { destination: "file:{dir}/a.zip", timeSnapshotBoundaryMicros: 0 },
    second,
  ),
  ask("restored to before everything", "GET", "/core/examples?$count=true", undefined, {
    ...second,
    restart: true,
  }),
  restore("from a missing file", { destination: "file:{dir}/missing.zip" }, second),
  restore("from a broken ZIP", { destination: "file:{dir}/garbage.zip" }, second),
  restore("from an unknown file service", { destination: "{url}/local-files/unknown" }, second),
  ask(
    "post after a restore that failed",
    "POST",
    "/core/examples",
    { documentSelfLink: "after", name: "after" },
    second,
  ),
];

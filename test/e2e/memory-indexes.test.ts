import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ask, serve, type ServedHost } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const kindPrefix = "com:vmware:xenon:services:common:ServiceHostManagementService:";
const memory = "/core/in-memory-document-index";
const scratch = "/core/scratch-index";
const root = temporaryDirectory();
const uri = (name: string) => pathToFileURL(join(root, name)).href;
const start = () =>
  serve([
    "--data-dir",
    join(root, "data"),
    "--memory-index",
    scratch,
    "--factory",
    `/core/scratch=acme:Note@${scratch}`,
  ]);

async function manage(
  { url }: ServedHost,
  kind: "BackupRequest" | "RestoreRequest",
  fields: object,
): Promise<{ status: number; message: string }> {
  const { status, body } = await ask(`${url}/core/management`, "PATCH", {
    kind: kindPrefix + kind,
    ...fields,
  });
  return { status, message: typeof body["message"] === "string" ? body["message"] : "" };
}
const post = async ({ url }: ServedHost, factory: string, name: string) =>
  expect((await ask(url + factory, "POST", { documentSelfLink: name, name })).status).toBe(200);
const statusOf = async ({ url }: ServedHost, link: string) => (await ask(url + link)).status;

test("backs up in-memory indexes incrementally, restores them by either link, and into another index only on request; a restart empties them", async () => {
  let host = await start();
  await post(host, "/core/in-memory-examples", "one");
  const byIndex = { destination: uri("memory"), backupType: "DIRECTORY", indexServiceLink: memory };
  const byService = {
    destination: uri("memory"),
    backupType: "DIRECTORY",
    backupServiceLink: `${memory}-backup`,
  };
  expect((await manage(host, "BackupRequest", byIndex)).status).toBe(200);
  await post(host, "/core/in-memory-examples", "two");
  expect((await manage(host, "BackupRequest", byService)).status).toBe(200);
  const backups = (await ask(`${host.url}/v1/backups?uri=${uri("memory")}`)).body["backups"] as {
    backup: { segments: { kind: string }[]; indexLink: string };
  }[];
  expect(
    backups.map(({ backup }) => [backup.indexLink, backup.segments.map(({ kind }) => kind)]),
  ).toEqual([[memory, ["SEGMENT_KIND_BASE", "SEGMENT_KIND_DELTA"]]]);
  await post(host, "/core/scratch", "note");
  expect(
    (
      await manage(host, "BackupRequest", {
        destination: uri("scratch.zip"),
        indexServiceLink: scratch,
      })
    ).status,
  ).toBe(200);
  expect(await statusOf(host, "/core/in-memory-examples/one")).toBe(200);

  await host.stop("SIGTERM");
  host = await start();
  expect(await statusOf(host, "/core/in-memory-examples/one")).toBe(404);
  expect(await statusOf(host, "/core/scratch/note")).toBe(404);
  expect(
    (
      await manage(host, "RestoreRequest", {
        destination: uri("memory"),
        backupServiceLink: `${memory}-backup`,
      })
    ).status,
  ).toBe(200);
  // Effective without a restart, as soon as the response arrives.
  expect(await statusOf(host, "/core/in-memory-examples/one")).toBe(200);
  expect(await statusOf(host, "/core/in-memory-examples/two")).toBe(200);
  expect(
    (
      await manage(host, "RestoreRequest", {
        destination: uri("scratch.zip"),
        indexServiceLink: scratch,
      })
    ).status,
  ).toBe(200);
  expect(await statusOf(host, "/core/scratch/note")).toBe(200);

  await post(host, "/core/examples", "durable");
  for (const fields of [
    {},
    { backupServiceLink: "/core/document-index-backup" },
    { indexServiceLink: null },
  ]) {
    const refused = await manage(host, "RestoreRequest", { destination: uri("memory"), ...fields });
    expect(refused.status).toBe(400);
    expect(refused.message).toContain(`is of ${memory}, not of /core/document-index`);
  }
  expect(await statusOf(host, "/core/examples/durable")).toBe(200);
  expect(
    (
      await manage(host, "RestoreRequest", {
        destination: uri("memory"),
        indexServiceLink: "/core/document-index",
      })
    ).status,
  ).toBe(200);
  expect(await statusOf(host, "/core/examples/durable")).toBe(404);
  expect(
    (await ask(`${host.url}/core/document-index?documentSelfLink=/core/in-memory-examples/two`))
      .status,
  ).toBe(200);
});

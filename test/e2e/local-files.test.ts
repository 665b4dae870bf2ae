import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { join } from "node:path";
import { hostFixture, type HostFixture } from "../support/host-fixture.js";
import { ask, serve } from "../support/served-host.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const urlOf = ({ host }: HostFixture) => `http://127.0.0.1:${host.httpAddress.port}`;
const service = (link: string, file: string) => ({
  documentSelfLink: link,
  localFileUri: `file:${file}`,
  fileOptions: ["WRITE", "CREATE"],
});
const octets = { "content-type": "application/octet-stream" };
const leftovers = (directory: string) =>
  readdirSync(directory).filter((name) => name.startsWith("."));

async function put(
  url: string,
  range: string | undefined,
  body: Uint8Array | string,
): Promise<number> {
  const answer = await fetch(url, {
    method: "PUT",
    headers: { ...octets, ...(range !== undefined && { "content-range": range }) },
    body,
  });
  await answer.text();
  return answer.status;
}

test("repeatedly backs up to another host, from which a third host restores", async () => {
  const [source, keeper, fresh] = [await hostFixture(), await hostFixture(), await hostFixture()];
  const file = join(keeper.root, "nightly.zip");
  await ask(`${urlOf(keeper)}/local-files`, "POST", service("nightly", file));
  const destination = `${urlOf(keeper)}/local-files/nightly`;
  const backUp = async () => {
    const result = await source.finish(
      source.host.management.backup({
        destination,
        container: "STREAM",
        indexLink: "/core/document-index",
      }),
    );
    expect(result).toMatchObject({ verified: true, warnings: [] });
  };
  // Incompressible, so that the first archive has several parts and is longer than the second one.
  for (let i = 0; i < 40; i += 1)
    await source.put(`large-${i}`, {
      name: `large-${i}`,
      text: randomBytes(60_000).toString("base64"),
    });
  await backUp();
  const first = readFileSync(file);
  expect(first.length).toBeGreaterThan(1024 * 1024);
  await source.put("one-more", { name: "one-more" });
  await backUp();
  expect(readFileSync(file).equals(first)).toBe(false);
  await fresh.finish(
    fresh.host.management.restore({ source: destination, indexLink: "/core/document-index" }),
  );
  expect(await fresh.contents()).toEqual(await source.contents());

  // The third archive is much shorter: no bytes of the longer one may remain after it.
  const small = await hostFixture();
  await small.put("only", { name: "only" });
  await small.finish(
    small.host.management.backup({
      destination,
      container: "STREAM",
      indexLink: "/core/document-index",
    }),
  );
  expect(readFileSync(file).length).toBeLessThan(100_000);
  expect(leftovers(keeper.root)).toEqual([]);
  await fresh.finish(
    fresh.host.management.restore({ source: destination, indexLink: "/core/document-index" }),
  );
  expect(Object.keys(await fresh.contents())).toEqual(["only"]);
}, 120_000);

test("the forwarded bearer token needs the role files to back up and to restore", async () => {
  const tokens = "keep files\nback restore,backup\nlook read";
  const root = temporaryDirectory();
  const [source, keeper] = [await hostFixture(), await hostFixture({ tokens, fileRoots: [root] })];
  await source.put("a", { name: "a" });
  const destination = `${urlOf(keeper)}/local-files/x`;
  await ask(`${urlOf(keeper)}/local-files`, "POST", service("x", join(root, "x.zip")), {
    authorization: "Bearer keep",
  });
  const backUp = (bearer: string) =>
    source.finish(
      source.host.management.backup({
        destination,
        container: "STREAM",
        indexLink: "/core/document-index",
        bearer,
      }),
    );
  const restore = (bearer: string) =>
    source.finish(
      source.host.management.restore({
        source: destination,
        indexLink: "/core/document-index",
        bearer,
      }),
    );
  for (const bearer of ["look", "back"])
    await expect(backUp(bearer)).rejects.toMatchObject({
      reason: "DESTINATION_REFUSED",
      metadata: { status: "403" },
    });
  await backUp("keep");
  for (const bearer of ["look", "back"])
    await expect(restore(bearer)).rejects.toMatchObject({
      reason: "DESTINATION_REFUSED",
      metadata: { status: "403" },
    });
  await restore("keep");
  // A host with tokens serves files only below a configured root.
  const closed = await hostFixture({ tokens });
  expect(
    (
      await ask(`${urlOf(closed)}/local-files`, "POST", service("x", join(root, "y.zip")), {
        authorization: "Bearer keep",
      })
    ).status,
  ).toBe(403);
}, 60_000);

test("keeps services and files over a restart, and removes incomplete uploads", async () => {
  const keeper = await hostFixture();
  const file = join(keeper.root, "up.zip");
  await ask(`${urlOf(keeper)}/local-files`, "POST", service("up", file));
  await ask(`${urlOf(keeper)}/local-files`, "POST", service("done", join(keeper.root, "done.zip")));
  const up = () => `${urlOf(keeper)}/local-files/up`;
  expect(await put(up(), undefined, "no ZIP at all")).toBe(200);
  expect(await put(up(), "bytes 0-5/10", "01234")).toBe(200);
  await ask(`${urlOf(keeper)}/local-files/done`, "PATCH", { writeFinished: true });
  await keeper.restart();
  expect(leftovers(keeper.root)).toEqual([]);
  expect((await ask(`${urlOf(keeper)}/local-files`, "POST", service("up", file))).status).toBe(409);
  expect((await ask(up())).body).toMatchObject({
    localFileUri: `file:${file}`,
    fileOptions: ["WRITE", "CREATE"],
    complete: true,
    totalBytes: 13,
  });
  expect((await ask(`${urlOf(keeper)}/local-files/done`)).body).toMatchObject({
    writeFinished: true,
  });
  // The service itself wrote the file, so it may replace it although it is not a backup.
  expect(await put(up(), "bytes 0-5/5", "again")).toBe(200);
  expect(readFileSync(file, "utf8")).toBe("again");
  await ask(up(), "DELETE");
  await keeper.restart();
  expect((await ask(up())).status).toBe(404);
}, 60_000);

test("starts with a damaged record of a service", async () => {
  const keeper = await hostFixture();
  await ask(`${urlOf(keeper)}/local-files`, "POST", service("good", join(keeper.root, "good.zip")));
  for (const [name, text] of [
    ["a", "null"],
    ["b", "{"],
    ["c", "{}"],
  ] as const)
    writeFileSync(join(keeper.root, "data", "file-services", `${name}.json`), text);
  await keeper.restart();
  expect((await ask(`${urlOf(keeper)}/local-files`)).body).toMatchObject({
    documentLinks: ["/local-files/good"],
  });
}, 60_000);

test("removes uploads interrupted by a kill at the next start", async () => {
  const root = temporaryDirectory();
  const flags = ["--data-dir", join(root, "data")];
  const killed = await serve(flags);
  await ask(`${killed.url}/local-files`, "POST", service("up", join(root, "up.zip")));
  expect(await put(`${killed.url}/local-files/up`, "bytes 0-5/10", "01234")).toBe(200);
  expect(leftovers(root)).toHaveLength(1);
  await killed.stop("SIGKILL");
  const again = await serve(flags);
  expect(leftovers(root)).toEqual([]);
  expect((await ask(`${again.url}/local-files/up`)).body).toMatchObject({
    complete: false,
    receivedRanges: [],
  });
  expect(await put(`${again.url}/local-files/up`, "bytes 0-4/4", "whole".slice(0, 4))).toBe(200);
});

test("file roots default to the backup roots and never contain the data directory", async () => {
  const root = temporaryDirectory();
  for (const name of ["backups", "files"]) mkdirSync(join(root, name));
  const make = async (host: HostFixture, file: string) =>
    (
      await ask(`${urlOf(host)}/local-files`, "POST", {
        localFileUri: `file:${file}`,
        fileOptions: ["WRITE", "CREATE"],
      })
    ).status;
  const byDefault = await hostFixture({ backupRoots: [join(root, "backups")] });
  expect(await make(byDefault, join(root, "backups/x"))).toBe(200);
  expect(await make(byDefault, join(root, "files/x"))).toBe(403);
  const own = await hostFixture({
    backupRoots: [join(root, "backups")],
    fileRoots: [join(root, "files")],
  });
  expect(await make(own, join(root, "backups/x"))).toBe(403);
  expect(await make(own, join(root, "files/x"))).toBe(200);
  expect(await make(await hostFixture(), join(own.root, "data", "x"))).toBe(200);
  const any = await hostFixture();
  expect(await make(any, join(any.root, "data", "host-id"))).toBe(400);
  expect(await make(any, join(any.root, "data", "auto-backup", "x.zip"))).toBe(400);
  await any.put("a", {});
  await any.backup("dir");
  expect(await make(any, join(any.root, "dir", "manifest-0000000009-0123456789abcdef.json"))).toBe(
    400,
  );
  writeFileSync(join(root, "files", "tokens"), "t admin\n");
  const secret = await hostFixture({
    fileRoots: [join(root, "files")],
    secretFiles: [join(root, "files", "tokens")],
  });
  expect(await make(secret, join(root, "files", "tokens"))).toBe(400);
  await expect(hostFixture({ fileRoots: [join(root, "nowhere")] })).rejects.toMatchObject({
    reason: "CONFIGURATION_INVALID",
    message: expect.stringMatching(/file root .* --file-root/) as unknown,
  });
}, 60_000);

test("replaces only files written through a file service, also after a restart", async () => {
  const keeper = await hostFixture();
  await keeper.put("a", { name: "a" });
  await keeper.backup("old.zip", { container: "ZIP" });
  writeFileSync(join(keeper.root, "letters.zip"), "letters");
  for (const name of ["old", "letters", "sent"])
    await ask(
      `${urlOf(keeper)}/local-files`,
      "POST",
      service(name, join(keeper.root, `${name}.zip`)),
    );
  expect(await put(`${urlOf(keeper)}/local-files/old`, undefined, "new")).toBe(400);
  expect(await put(`${urlOf(keeper)}/local-files/letters`, undefined, "new")).toBe(400);
  expect(readFileSync(join(keeper.root, "letters.zip"), "utf8")).toBe("letters");
  expect(await put(`${urlOf(keeper)}/local-files/sent`, undefined, "the night before")).toBe(200);
  await ask(`${urlOf(keeper)}/local-files/sent`, "DELETE");
  await keeper.restart();
  await ask(
    `${urlOf(keeper)}/local-files`,
    "POST",
    service("again", join(keeper.root, "sent.zip")),
  );
  expect(await put(`${urlOf(keeper)}/local-files/again`, undefined, "tonight")).toBe(200);
  writeFileSync(join(keeper.root, "sent.zip"), "an unrelated file");
  expect(await put(`${urlOf(keeper)}/local-files/again`, undefined, "tomorrow")).toBe(400);
}, 60_000);

test("accepts a body larger than the limit of documents in one piece", async () => {
  const keeper = await hostFixture();
  const file = join(keeper.root, "large.bin");
  await ask(`${urlOf(keeper)}/local-files`, "POST", service("large", file));
  const body = randomBytes(20 * 1024 * 1024);
  const status = await new Promise<number>((resolve, reject) => {
    const headers = { ...octets, "content-length": body.length, expect: "100-continue" };
    const request = httpRequest(
      `${urlOf(keeper)}/local-files/large`,
      { method: "PUT", headers },
      (response) => resolve(response.resume().statusCode ?? 0),
    );
    request.on("error", reject);
    request.on("continue", () => request.end(body));
    request.flushHeaders();
  });
  expect(status).toBe(200);
  expect(readFileSync(file).equals(body)).toBe(true);
}, 60_000);

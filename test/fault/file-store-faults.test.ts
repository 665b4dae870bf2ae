import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { systemPlatform } from "../../src/io/platform.js";
import { startDialectHost, type DialectHost } from "../support/dialect-host.js";
import { faultyFileSystem, type FaultKind } from "../support/faulty-file-system.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

let host: DialectHost;
let root: string;
let files: ReturnType<typeof faultyFileSystem>;
beforeEach(async () => {
  root = temporaryDirectory();
  files = faultyFileSystem();
  host = await startDialectHost({ platform: { ...systemPlatform, files } });
  const made = await host.call("POST", "/local-files", {
    documentSelfLink: "up",
    localFileUri: `file:${join(root, "up.zip")}`,
    fileOptions: ["WRITE", "CREATE"],
  });
  expect(made.status).toBe(200);
  expect((await put(undefined, "the previous file")).status).toBe(200);
});
afterEach(async () => {
  await host.server.close(0);
  await host.fileStore.close();
});

const put = (range: string | undefined, body: string) =>
  host.call("PUT", "/local-files/up", Buffer.from(body), {
    "content-type": "application/octet-stream",
    ...(range !== undefined && { "content-range": range }),
  });
const content = () => readFileSync(join(root, "up.zip"), "utf8");

/** Uploads two parts, the second of which completes the file. */
async function upload(): Promise<number[]> {
  return [(await put("bytes 0-3/6", "new")).status, (await put("bytes 3-6/6", "one")).status];
}

test.each<[FaultKind, number, string, number[]]>([
  // Each upload writes its record (create, write, sync, rename, syncDirectory) before the file itself.
  ["create", 1, "ENOSPC", [507, 200]],
  ["create", 2, "ENOSPC", [507, 200]],
  ["write", 2, "ENOSPC", [507, 200]],
  ["write", 3, "ENOSPC", [200, 507]],
  ["write", 3, "EIO", [200, 503]],
  // The record is published first, then the parts are written, then the file is published.
  ["openToWrite", 2, "EMFILE", [503, 200]],
  ["openToWrite", 3, "EACCES", [200, 503]],
  ["sync", 2, "EIO", [200, 503]],
  ["sync", 2, "ENOSPC", [200, 507]],
  ["rename", 2, "EACCES", [200, 503]],
])(
  "reports a failed %s, the %dth, with %s and keeps the previous file",
  async (kind, nth, errno, statuses) => {
    files.arm(kind, nth, errno);
    expect(await upload()).toEqual(statuses);
    expect(files.disarm()).toBe(true);
    expect(content()).toBe("the previous file");
    await host.call("DELETE", "/local-files/up");
    expect(readdirSync(root)).toEqual(["up.zip"]);
  },
);

test("an upload after a full disk is complete", async () => {
  files.arm("write", 3, "ENOSPC");
  expect(await upload()).toEqual([200, 507]);
  expect(readdirSync(root)).toEqual(["up.zip"]);
  expect(await upload()).toEqual([200, 200]);
  expect(content()).toBe("newone");
});

test("a body of unknown length is limited by the free space", async () => {
  files.free = 1000;
  const send = (bytes: number) =>
    host.call("PUT", "/local-files/up", Buffer.alloc(bytes, "x"), {
      "content-type": "application/octet-stream",
      "transfer-encoding": "chunked",
    });
  expect((await send(1001)).status).toBe(507);
  expect(content()).toBe("the previous file");
  expect(readdirSync(root)).toEqual(["up.zip"]);
  expect((await send(1000)).status).toBe(200);
});

test("an upload is complete once its file is published, despite later failures", async () => {
  files.arm("sync", 3, "EIO");
  expect(await upload()).toEqual([200, 200]);
  expect(files.disarm()).toBe(true);
  expect(content()).toBe("newone");
  expect(host.internal).toHaveLength(1);
  expect(await upload()).toEqual([200, 200]);
});

test("a failed write of the record creates no service", async () => {
  files.arm("sync", 1, "EIO");
  const make = () =>
    host.call("POST", "/local-files", {
      documentSelfLink: "two",
      localFileUri: `file:${join(root, "two.zip")}`,
    });
  expect((await make()).status).toBeGreaterThanOrEqual(500);
  expect((await host.call("GET", "/local-files/two")).status).toBe(404);
  expect((await make()).status).toBe(200);
});

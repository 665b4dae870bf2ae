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
  expect((await put(undefined, "the night before")).status).toBe(200);
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

/** Two parts, the second of which makes it whole. */
async function upload(): Promise<number[]> {
  return [(await put("bytes 0-3/6", "new")).status, (await put("bytes 3-6/6", "one")).status];
}

test.each<[FaultKind, number, string, number[]]>([
  // Each upload: its record written (create, write, sync, rename, syncDirectory) before the file's own.
  ["create", 1, "ENOSPC", [507, 200]],
  ["create", 2, "ENOSPC", [507, 200]],
  ["write", 2, "ENOSPC", [507, 200]],
  ["write", 3, "ENOSPC", [200, 507]],
  ["write", 3, "EIO", [200, 503]],
  // The record is published first, then parts are written, then all of it is published.
  ["openToWrite", 2, "EMFILE", [503, 200]],
  ["openToWrite", 3, "EACCES", [200, 503]],
  ["sync", 2, "EIO", [200, 503]],
  ["sync", 2, "ENOSPC", [200, 507]],
  ["rename", 2, "EACCES", [200, 503]],
])(
  "a %s, the %dth, that fails with %s is told, and the file of the night before is as it was",
  async (kind, nth, errno, statuses) => {
    files.arm(kind, nth, errno);
    expect(await upload()).toEqual(statuses);
    expect(files.disarm()).toBe(true);
    expect(content()).toBe("the night before");
    await host.call("DELETE", "/local-files/up");
    expect(readdirSync(root)).toEqual(["up.zip"]);
  },
);

test("after a full disk the next upload is whole", async () => {
  files.arm("write", 3, "ENOSPC");
  expect(await upload()).toEqual([200, 507]);
  expect(readdirSync(root)).toEqual(["up.zip"]);
  expect(await upload()).toEqual([200, 200]);
  expect(content()).toBe("newone");
});

test("a body of an unknown length has the free space and no more", async () => {
  files.free = 1000;
  const send = (bytes: number) =>
    host.call("PUT", "/local-files/up", Buffer.alloc(bytes, "x"), {
      "content-type": "application/octet-stream",
      "transfer-encoding": "chunked",
    });
  expect((await send(1001)).status).toBe(507);
  expect([content(), readdirSync(root)]).toEqual(["the night before", ["up.zip"]]);
  expect((await send(1000)).status).toBe(200);
});

test("once the file is in its place the upload is done, whatever fails then", async () => {
  files.arm("sync", 3, "EIO");
  expect(await upload()).toEqual([200, 200]);
  expect([files.disarm(), content(), host.internal.length]).toEqual([true, "newone", 1]);
  expect(await upload()).toEqual([200, 200]);
});

test("a record that cannot be written makes no service", async () => {
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

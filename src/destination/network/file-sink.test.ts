import { existsSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { nodeFileSystem } from "../../io/node-file-system.js";
import { systemPlatform } from "../../io/platform.js";
import { limits } from "../../limits.js";
import { download } from "../http/download.js";
import { openFileSink } from "./file-sink.js";
import type { HttpFileClient } from "../http/client.js";

const MiB = 1024 * 1024;

function disk(freeBytes: () => number) {
  return {
    ...systemPlatform,
    files: {
      ...nodeFileSystem,
      freeBytes: async () => freeBytes(),
      totalBytes: async () => 1024 * MiB,
    },
  };
}

test("rejects a source that would use the reserve of the disk, whether or not its size is known", async () => {
  const directory = temporaryDirectory();
  const sink = await openFileSink(
    disk(() => 100 * MiB),
    join(directory, "a"),
    directory,
    "The source",
    () => {},
  );
  await expect(sink.expect(100 * MiB - 1)).rejects.toMatchObject({ reason: "STORAGE_FULL" });
  await sink.expect(undefined);
  await expect(sink.write(Buffer.alloc(1), 36 * MiB)).rejects.toMatchObject({
    reason: "STORAGE_FULL",
  });
  await sink.close();
});

test("stops if other writers have used the free space meanwhile", async () => {
  const directory = temporaryDirectory();
  let free = 200 * MiB;
  const sink = await openFileSink(
    disk(() => free),
    join(directory, "a"),
    directory,
    "The source",
    () => {},
  );
  await sink.expect(100 * MiB);
  await sink.write(Buffer.alloc(MiB), 0);
  free = limits.fetchReserveBytes - 1;
  const writing = async () => {
    for (let i = 1; i <= 8; i += 1) await sink.write(Buffer.alloc(MiB), i * MiB);
  };
  await expect(writing()).rejects.toMatchObject({ reason: "STORAGE_FULL" });
  await sink.close();
  expect(existsSync(join(directory, "a"))).toBe(true);
});

test("fails if a source sends only a byte now and then", async () => {
  const now = jest.spyOn(performance, "now");
  let clock = 1_000_000;
  now.mockImplementation(() => clock);
  async function* trickle() {
    for (;;) {
      clock += 5_000;
      yield Buffer.alloc(1);
    }
  }
  const headers: Record<string, string> = { "content-length": String(MiB) };
  const client: HttpFileClient = {
    name: "The source http://h/x",
    request: async (_request, _signal, use) =>
      use({ status: 200, header: (name) => headers[name], body: trickle() }),
    close() {},
  };
  const sink = { expect: async () => {}, write: async () => {}, restart: async () => {} };
  const fetching = download(
    { ...systemPlatform, transfer: { backOffMs: 1 } },
    client,
    sink,
    1,
    new AbortController().signal,
  );
  await expect(fetching).rejects.toMatchObject({
    reason: "DESTINATION_UNREACHABLE",
    message: expect.stringContaining("minimum rate") as string,
  });
  now.mockRestore();
});

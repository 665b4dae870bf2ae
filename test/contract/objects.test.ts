import { mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { resolveSource } from "../../src/container/resolve.js";
import { FileDestination } from "../../src/destination/file/destination.js";
import { FileScheme } from "../../src/destination/file/scheme.js";
import { HttpScheme } from "../../src/destination/http/scheme.js";
import { DestinationRegistry } from "../../src/destination/registry.js";
import { systemPlatform as platform } from "../../src/io/platform.js";
import { faultyDestination } from "../support/faulty-destination.js";
import { httpStore } from "../support/http-store.js";
import { MemoryDestination, MemoryStore } from "../support/memory-destination.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { objectContract } from "./object-suite.js";

objectContract("a directory", {
  name: "object",
  open: async () => new FileDestination({ platform, path: temporaryDirectory() }),
});

objectContract("memory", {
  name: "object",
  open: async () => new MemoryDestination(new MemoryStore(), "bucket"),
});

objectContract("memory, through the wrapper that injects faults", {
  name: "object",
  open: async () =>
    faultyDestination(new MemoryDestination(new MemoryStore(), "bucket"), () => undefined),
});

objectContract("a web server", {
  name: "archive.zip",
  async open() {
    const { origin } = await httpStore();
    const scheme = new HttpScheme({
      platform,
      policy: { allowPrivate: true, allowed: [] },
      tls: {},
      temporaryDirectory: temporaryDirectory(),
    });
    return (await scheme.open({ uri: `${origin}/x.zip`, purpose: "read" })).destination;
  },
});

test("removes the directory created for a backup if nothing was stored", async () => {
  const { signal } = new AbortController();
  const path = join(temporaryDirectory(), "backups");
  const destination = new FileDestination({ platform, path, create: true });
  expect(await destination.exists()).toBe(false);
  const lock = await destination.lock(undefined, signal);
  expect(await destination.exists()).toBe(true);
  await lock.release();
  expect(await destination.exists()).toBe(false);
});

test("does not follow a parent directory that became a link after the URI was resolved", async () => {
  const { signal } = new AbortController();
  const root = temporaryDirectory();
  const outside = temporaryDirectory();
  for (const directory of [join(root, "backups"), outside]) {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "b.zip"), "PK");
  }
  const scheme = new FileScheme({
    platform,
    roots: { paths: [root], what: "backup root" },
    dataDirectory: temporaryDirectory(),
    autoBackupDirectory: temporaryDirectory(),
  });
  const registry = new DestinationRegistry({ file: scheme });
  const uri = pathToFileURL(join(root, "backups", "b.zip")).href;
  const source = await resolveSource({ platform, registry, temporaryDirectory: root }, uri);
  const { destination } = await registry.open({ uri, purpose: "read" });
  renameSync(join(root, "backups"), join(root, "moved"));
  symlinkSync(outside, join(root, "backups"));
  const replaced = { reason: "PATH_OUTSIDE_ROOTS" };
  await expect(source.open({}, signal)).rejects.toMatchObject(replaced);
  const read = async () => {
    for await (const _chunk of destination.get("b.zip", { signal }));
  };
  await expect(read()).rejects.toMatchObject(replaced);
  await expect(destination.lock("b.zip", signal)).rejects.toMatchObject(replaced);
});

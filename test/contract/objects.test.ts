import { join } from "node:path";
import { FileDestination } from "../../src/destination/file/destination.js";
import { HttpScheme } from "../../src/destination/http/scheme.js";
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

test("a directory that is made for a backup goes again if nothing was stored", async () => {
  const { signal } = new AbortController();
  const path = join(temporaryDirectory(), "backups");
  const destination = new FileDestination({ platform, path, create: true });
  expect(await destination.exists()).toBe(false);
  const lock = await destination.lock(undefined, signal);
  expect(await destination.exists()).toBe(true);
  await lock.release();
  expect(await destination.exists()).toBe(false);
});

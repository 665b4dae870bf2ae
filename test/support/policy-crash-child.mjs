// Runs a host whose clock is ahead, so that a run of a policy is due at once, and kills the process at a failpoint or at a
// call of the file system. Writes documents meanwhile, and prints the names of those that were acknowledged.
import { readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createHost } from "../../dist/src/host/start.js";
import { systemPlatform } from "../../dist/src/io/platform.js";

const { dataDirectory, aheadMicros, at } = JSON.parse(process.argv[2] ?? "{}");
const { failpoint, call, path = "", nth = 1, when = "before", progressStopsAt, removes } = at;
const progressPath = join(dataDirectory, "policy-progress.json");
const never = () => new Promise(() => {});
let left = nth;
let stopsLeft = progressStopsAt?.nth ?? 0;
let progressStopped = false;

async function die() {
  // The mark of a run under way is written in the background.
  while (removes === undefined && !readFileSync(progressPath, "utf8").includes('"running"'))
    await sleep(5);
  process.kill(process.pid, "SIGKILL");
  await never();
}

const { files } = systemPlatform;
const dieAt =
  (name, of) =>
  async (...args) => {
    if (progressStopped && of(args) === progressPath) await never();
    const hit = name === call && new RegExp(path).test(of(args)) && (left -= 1) === 0;
    if (hit && when === "before") await die();
    const result = await files[name](...args);
    if (hit) await die();
    return result;
  };

const platform = {
  ...systemPlatform,
  nowMicros: () => Date.now() * 1000 + aheadMicros,
  lease: { expiryMs: 300, heartbeatMs: 50 },
  files: {
    ...files,
    create: dieAt("create", ([created]) => created),
    rename: dieAt("rename", ([, to]) => to),
    remove: dieAt("remove", ([removed]) => removed),
  },
  async failpoint(name) {
    if (name === progressStopsAt?.failpoint && (stopsLeft -= 1) === 0) progressStopped = true;
    if (name === failpoint && (left -= 1) === 0) await die();
  },
};
const indexLink = "/core/document-index";
const host = await createHost({
  dataDirectory,
  httpPort: 0,
  grpcPort: 0,
  platform,
  factories: [{ path: "/things", kind: "test:kind", indexLink }],
});
if (removes !== undefined) await host.policies.remove(removes);
for (let i = 0; i < 2000; i += 1) {
  const documentSelfLink = `during-${i}`;
  await host.documents.create("/things", JSON.stringify({ documentSelfLink, i }), {});
  writeSync(1, `${documentSelfLink}\n`);
  await sleep(5);
}

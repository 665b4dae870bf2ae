// Runs an operation on a host and kills the process at a failpoint. The operation is given as JSON in the first argument.
import { createHost } from "../../dist/src/host/start.js";
import { systemPlatform } from "../../dist/src/io/platform.js";

const { dataDirectory, work, failpoint, nth = 1 } = JSON.parse(process.argv[2] ?? "{}");
let left = nth;
let armed = false;
const platform = {
  ...systemPlatform,
  lease: { expiryMs: 300, heartbeatMs: 50 },
  async failpoint(name) {
    if (!armed || name !== failpoint || (left -= 1) > 0) return;
    process.kill(process.pid, "SIGKILL");
    await new Promise(() => {});
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
armed = true;
const started =
  work.kind === "backup"
    ? host.management.backup({ ...work.request, indexLink })
    : work.kind === "restore"
      ? host.management.restore({ ...work.request, indexLink })
      : host.management.undoRestore({ indexLink });
const view = await host.operations.wait((await started).name, 60_000);
console.log(view.error ? `failed ${view.error.message}` : "done");
await host.close();

// A host in a process of its own, that tells its event loop's longest stall when asked over IPC.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createHost } from "../dist/src/host/start.js";

const [dataDirectory, more = "{}"] = process.argv.slice(2);
const indexLink = "/core/document-index";
const host = await createHost({
  dataDirectory,
  httpPort: 0,
  grpcPort: 0,
  factories: [{ path: "/bench", kind: "bench:kind", indexLink }],
  ...JSON.parse(more),
});
let delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
process.on("message", (message) => {
  if (message === "close") void host.close().then(() => process.exit(0));
  if (message === "stall") {
    process.send({ stallMs: delay.max / 1e6 });
    delay.reset();
  }
});
process.send({ port: host.httpAddress.port, grpcPort: host.grpcAddress.port });

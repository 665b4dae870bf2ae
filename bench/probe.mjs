// Asks for /healthz every 10 ms, in a process of its own; tells the longest wait when asked over IPC.
import { Agent, get } from "node:http";

const [port] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true });
let longest = 0;
let failed = 0;
let stopped = false;

const once = () =>
  new Promise((resolve) => {
    const begun = performance.now();
    const done = (ok) => {
      longest = Math.max(longest, performance.now() - begun);
      if (!ok) failed += 1;
      resolve();
    };
    get({ host: "127.0.0.1", port, path: "/healthz", agent }, (response) =>
      response.resume().on("end", () => done(response.statusCode === 200)),
    ).on("error", () => done(false));
  });

process.on("message", (message) => {
  if (message === "close") stopped = true;
  if (message === "longest") {
    process.send({ longest, failed });
    longest = failed = 0;
  }
});
process.send({ port });
while (!stopped) {
  await once();
  await new Promise((resolve) => setTimeout(resolve, 10));
}
process.exit(0);

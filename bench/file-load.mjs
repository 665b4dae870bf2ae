// Uploads a file in ranges over a few connections, in a process of its own. Arguments: port, path, bytes, bytes of a range,
// connections. Prints { ms } as JSON.
import { Agent, request as httpRequest } from "node:http";

const [port, path, ...numbers] = process.argv.slice(2);
const [total, rangeBytes, connections] = numbers.map(Number);
const agent = new Agent({ keepAlive: true, maxSockets: connections });
const body = Buffer.alloc(rangeBytes, "holdfast");
let next = 0;

function put(first) {
  const bytes = body.subarray(0, Math.min(rangeBytes, total - first));
  const headers = {
    "content-type": "application/octet-stream",
    "content-length": bytes.length,
    "content-range": `bytes ${first}-${first + bytes.length - 1}/${total}`,
  };
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: "127.0.0.1", port, path, method: "PUT", agent, headers },
      (response) => {
        response
          .resume()
          .on("end", () =>
            response.statusCode === 200
              ? resolve()
              : reject(new Error(`status ${response.statusCode}`)),
          );
      },
    );
    request.on("error", reject).end(bytes);
  });
}

const begun = performance.now();
await Promise.all(
  Array.from({ length: connections }, async () => {
    while (next < total) {
      const first = next;
      next += rangeBytes;
      await put(first);
    }
  }),
);
console.log(JSON.stringify({ ms: performance.now() - begun }));
agent.destroy();

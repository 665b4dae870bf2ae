// What the host is measured against: node:http with nothing between it and the same writer thread and SQL.
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { sqliteEngine } from "../dist/src/engine/sqlite/storage-engine.js";

const [directory] = process.argv.slice(2);
mkdirSync(directory);
await sqliteEngine.create(directory, { indexId: "bare", lineage: "bare", parents: [] });
const engine = await sqliteEngine.open(directory, {
  durable: true,
  minTimeMicros: 0,
  nowMicros: () => Date.now() * 1000,
  retainedVersions: 10_000,
  historyMicros: 0,
});
let next = 0;
const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks).toString("utf8");
    const link = `/bench/${(next += 1)}`;
    engine
      .write({
        action: "POST",
        link,
        kind: "bench:kind",
        owner: "bare",
        body,
        mergeRule: "shallow",
      })
      .then(() => {
        response.writeHead(200, {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
        });
        response.end(body);
      });
  });
});
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
process.on("message", () => void engine.close().then(() => process.exit(0)));

// What the host is measured against: node:http with nothing between it and the same writer thread and SQL.
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { SqliteStorageEngine } from "../dist/src/engine/sqlite/storage-engine.js";
import { systemPlatform } from "../dist/src/io/platform.js";

const [directory] = process.argv.slice(2);
mkdirSync(directory);
const storageEngine = new SqliteStorageEngine(systemPlatform, () => join(directory, "index"));
const storage = await storageEngine.openIndex({
  link: "/bench",
  durable: true,
  nowMicros: systemPlatform.nowMicros,
  retainedVersions: 10_000,
  historyMicros: 0,
  onBackgroundError: (error) => console.error(error),
});
const engine = await storage.openLive();
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

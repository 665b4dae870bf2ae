// What uploads of a file are measured against: node:http with nothing but a stream into the file, and one sync at the end.
import { createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { createServer } from "node:http";
import { pipeline } from "node:stream/promises";

const [path] = process.argv.slice(2);
let opening;
let left;
const server = createServer(async (request, response) => {
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(
    request.headers["content-range"],
  );
  left ??= Number(total);
  const file = await (opening ??= open(path, "w"));
  await pipeline(
    request,
    createWriteStream(path, { fd: file.fd, start: Number(first), autoClose: false }),
  );
  left -= last - first + 1;
  if (left === 0) {
    await file.sync();
    await file.close();
    left = opening = undefined;
  }
  response.writeHead(200, { "content-length": 0 }).end();
});
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
process.on("message", () => process.exit(0));

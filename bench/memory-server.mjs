// What reads over HTTP are measured against: node:http that answers GETs from a map, and keeps what is posted to it.
import { createServer } from "node:http";

const documents = new Map();
const server = createServer((request, response) => {
  const send = (body) => {
    response.writeHead(200, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    });
    response.end(body);
  };
  if (request.method === "GET") {
    send(documents.get(request.url) ?? "{}");
    return;
  }
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks).toString("utf8");
    documents.set(`${request.url}/${JSON.parse(body).documentSelfLink}`, body);
    send(body);
  });
});
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
process.on("message", () => process.exit(0));

// One attack on a host, in a process of its own: attack-load.mjs NAME PORT GRPC_PORT. Its answers do not matter.
import { once } from "node:events";
import { request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";

const [name, port, grpcPort] = process.argv
  .slice(2)
  .map((text, i) => (i === 0 ? text : Number(text)));
const MiB = 1024 * 1024;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const end = Date.now() + 6000;

function send(method, path, body, headers = {}) {
  return new Promise((resolve) => {
    const out = request(
      {
        host: "127.0.0.1",
        port,
        method,
        path,
        agent: false,
        headers: { "content-type": "application/json", authorization: "Bearer writer", ...headers },
      },
      (response) =>
        response
          .resume()
          .on("end", () => resolve(response.statusCode))
          .on("error", resolve),
    );
    out.on("error", resolve);
    out.end(body);
  });
}
/** Again and again until the time is over, so many at a time. */
async function again(atOnce, work) {
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let i = 0; Date.now() < end; i++) await work(i);
    }),
  );
}
const members = (count) =>
  `{${Array.from({ length: count }, (_, i) => `"k${i}":${"1".repeat(40)}`).join(",")}}`;
const post = (path, body, headers) => () => send("POST", path, body, headers);
const createDocument = "/holdfast.document.v1.DocumentService/CreateDocument";
const json = (text) =>
  JSON.stringify({ factoryLink: "/bench", json: Buffer.from(text).toString("base64") });

async function grpcStreams(count, path, token, message) {
  const session = connectHttp2(`http://127.0.0.1:${grpcPort}`, { maxSessionMemory: 4000 }).on(
    "error",
    () => undefined,
  );
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message === undefined ? 19 * MiB : message.length, 1);
  const chunk = Buffer.alloc(256 * 1024, 65);
  await Promise.all(
    Array.from({ length: count }, async () => {
      const stream = session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
        ...(token && { authorization: `Bearer ${token}` }),
      });
      let gone = false;
      stream
        .on("error", () => (gone = true))
        .on("close", () => (gone = true))
        .resume();
      stream.write(head);
      if (message !== undefined) stream.end(message);
      for (let sent = 0; message === undefined && sent < 18 * MiB && !gone; sent += chunk.length)
        if (!stream.write(chunk))
          await Promise.race([once(stream, "drain").catch(() => undefined), sleep(3000)]);
    }),
  );
  await sleep(Math.max(0, end - Date.now()));
  session.destroy();
}

const attacks = {
  nothing: () => sleep(6000),
  members: () => again(2, post("/bench", members(250_000))),
  "too-many-members": () =>
    again(2, post("/bench", `{${Array.from({ length: 1.2e6 }, (_, i) => `"k${i}":1`).join(",")}}`)),
  "large-text": () =>
    again(
      2,
      post("/bench", `{"documentSelfLink":"big","text":"${"é".repeat(8e6 - 100)}"}`, {
        pragma: "xn-force-index-update",
      }),
    ),
  "large-json": () => again(2, post(createDocument, json(`{"text":"${"x".repeat(16e6)}"}`))),
  "large-rest": () => again(2, post("/v1/documents", json(`{"text":"${"x".repeat(16e6)}"}`))),
  nested: () => again(2, post(createDocument, "[".repeat(24e6))),
  struct: () =>
    again(4, post("/v1/documents", `{"factoryLink":"/bench","fields":${members(5900)}}`)),
  import: () =>
    again(
      2,
      post(
        "/v1/documents:import?factory_link=/bench",
        `{"documentSelfLink":"line","text":"${"é".repeat(7e6)}"}\n`,
        { "content-type": "application/x-ndjson" },
      ),
    ),
  read: () => again(4, () => send("GET", "/bench/big")),
  wildcard: () =>
    again(
      4,
      post(
        "/core/query-tasks",
        JSON.stringify({
          taskInfo: { isDirect: true },
          querySpec: {
            query: {
              term: {
                propertyName: "text",
                matchValue: `*b${"é".repeat(40_000)}*`,
                matchType: "WILDCARD",
              },
            },
          },
        }),
      ),
    ),
  tokens: () =>
    again(64, () =>
      send("GET", "/v1/host", undefined, { authorization: `Bearer ${Math.random()}` }),
    ),
  "grpc-without-token": () => grpcStreams(100, createDocument),
  "grpc-with-token": () => grpcStreams(40, createDocument, "writer"),
  "health-watches": () =>
    Promise.all(
      Array.from({ length: 40 }, () =>
        grpcStreams(250, "/grpc.health.v1.Health/Watch", undefined, Buffer.alloc(0)),
      ),
    ),
  async bodies() {
    const chunk = Buffer.alloc(256 * 1024, 97);
    await Promise.all(
      Array.from({ length: 70 }, async () => {
        const socket = connect(port, "127.0.0.1").on("error", () => undefined);
        await once(socket, "connect");
        socket.write(
          'POST /bench HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer writer\r\ncontent-type: application/json\r\ncontent-length: 16000000\r\n\r\n{"text":"',
        );
        for (let sent = 0; sent < 15.5e6 && !socket.destroyed; sent += chunk.length)
          if (!socket.write(chunk))
            await Promise.race([once(socket, "drain").catch(() => undefined), sleep(3000)]);
      }),
    );
    await sleep(Math.max(0, end - Date.now()));
  },
  async connections() {
    for (let i = 0; i < 6000; i++) {
      connect(i % 2 === 0 ? port : grpcPort, "127.0.0.1").on("error", () => undefined);
      if (i % 100 === 99) await sleep(20);
    }
    await sleep(Math.max(0, end - Date.now()));
  },
};

await attacks[name]();
process.exit(0);

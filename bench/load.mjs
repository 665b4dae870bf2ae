// Posts documents over so many kept connections, by hand-made requests: the client must cost less than the server.
// Arguments: port, count or 0 with milliseconds, connections, bytes, first name, pause in ms, requests per second or 0 for as
// many as it takes: then latencies count from when a request was due; documents that are there, which it gets instead; path;
// "etcd" for the JSON gateway of etcd, where path and name of a document are its key.
// Prints rate and latencies as JSON.
import { randomBytes } from "node:crypto";
import { connect } from "node:net";

const [port, count, durationMs, connections, bytes, firstName, pauseMs, rate = 0, there = 0] =
  process.argv.slice(2, 11).map(Number);
const [path = "/bench", dialect] = process.argv.slice(11);
const latencies = [];
let next = firstName;
const end = durationMs > 0 ? performance.now() + durationMs : Infinity;
const last = durationMs > 0 ? Infinity : firstName + count;

const post = (target, body) =>
  `POST ${target} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const base64 = (text) => Buffer.from(text).toString("base64");
const gets = {
  documents: (name) => `GET ${path}/${name} HTTP/1.1\r\nhost: localhost\r\n\r\n`,
  etcd: (name) => post("/v3/kv/range", JSON.stringify({ key: base64(`${path}/${name}`) })),
};
const puts = {
  documents: (_, body) => post(path, body),
  etcd: (name, body) =>
    post("/v3/kv/put", JSON.stringify({ key: base64(`${path}/${name}`), value: base64(body) })),
};
const get = gets[dialect || "documents"];
const put = puts[dialect || "documents"];

function request() {
  const number = next++;
  if (there > 0) return get(`d${number % there}`);
  // Fields of the example service of Xenon, which drops others.
  const pad = randomBytes(Math.max(1, Math.floor((bytes - 75) / 2))).toString("hex");
  const name = `d${number}`;
  return put(
    name,
    JSON.stringify({ documentSelfLink: name, name: `n${number}`, keyValues: { pad } }),
  );
}

function client(index) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    let sent = 0;
    let received = "";
    let turn = 0;
    const dueAt = () => (rate > 0 ? begun + ((index + turn++ * connections) * 1000) / rate : 0);
    const sendWhenDue = () => {
      const due = dueAt();
      const waitMs = due - performance.now();
      const go = () => {
        send();
        if (rate > 0) sent = due;
      };
      if (waitMs > 0) setTimeout(go, waitMs);
      else go();
    };
    const send = () => {
      if (next >= last || performance.now() >= end) return (socket.end(), resolve());
      sent = performance.now();
      socket.write(request());
    };
    socket.on("connect", sendWhenDue);
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      const head = received.indexOf("\r\n\r\n");
      if (head < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0);
      if (received.length < head + 4 + length) return;
      if (!received.startsWith("HTTP/1.1 200")) return reject(new Error(received.slice(0, 300)));
      received = "";
      latencies.push(performance.now() - sent);
      if (pauseMs > 0) setTimeout(send, pauseMs);
      else sendWhenDue();
    });
  });
}

const begun = performance.now();
await Promise.all(Array.from({ length: connections }, (_, index) => client(index)));
const seconds = (performance.now() - begun) / 1000;
latencies.sort((a, b) => a - b);
const at = (share) =>
  latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
console.log(
  JSON.stringify({
    count: latencies.length,
    perSecond: latencies.length / seconds,
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
    next,
  }),
);

// The client of the stream benchmark, in a process of its own: reads and writes bytes and decodes nothing. Arguments: what
// to do and its settings as JSON. Prints { ms, firstMs, bytes, count } as JSON: until the first chunk, and all of it.
import { request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, credentials } from "@grpc/grpc-js";

const [work, settingsText] = process.argv.slice(2);
const settings = JSON.parse(settingsText);
const same = (bytes) => bytes;
const client = new Client(`127.0.0.1:${settings.port}`, credentials.createInsecure(), {
  "grpc.max_receive_message_length": 20 << 20,
  "grpc.max_send_message_length": 20 << 20,
});
const base64 = (text) => Buffer.from(text, "base64");
const begun = performance.now();
let firstMs = 0;
let bytes = 0;
let count = 0;

function take(chunk) {
  if (chunk.length > 65536 && firstMs === 0) firstMs = performance.now() - begun;
  bytes += chunk.length;
}

const jobs = {
  async down() {
    const call = client.makeServerStreamRequest(
      settings.path,
      same,
      same,
      base64(settings.request),
    );
    for await (const chunk of call) {
      take(chunk);
      if (settings.pauseMs) await sleep(settings.pauseMs);
    }
  },
  up() {
    return new Promise((resolve, reject) => {
      const call = client.makeClientStreamRequest(settings.path, same, same, (error) =>
        error && !settings.failureIsFine ? reject(error) : resolve(),
      );
      call.on("error", () => {});
      (async () => {
        for (const first of settings.first) call.write(base64(first));
        const body = Buffer.alloc(settings.chunkBytes, 7);
        for (let offset = 0; offset < settings.bytes; offset += settings.chunkBytes) {
          const data = body.subarray(0, Math.min(settings.chunkBytes, settings.bytes - offset));
          const message = settings.framed ? framed(offset, data) : data;
          if (firstMs === 0) firstMs = performance.now() - begun;
          bytes += data.length;
          if (!call.write(message)) await new Promise((done) => call.once("drain", done));
        }
        for (const last of settings.last) call.write(base64(last));
        call.end();
      })();
    });
  },
  async unary() {
    const request = base64(settings.request);
    const end = begun + settings.durationMs;
    await Promise.all(
      Array.from({ length: settings.concurrency }, async () => {
        while (performance.now() < end) {
          await new Promise((resolve, reject) =>
            client.makeUnaryRequest(settings.path, same, same, request, (error) =>
              error ? reject(error) : resolve(),
            ),
          );
          count += 1;
        }
      }),
    );
  },
  http() {
    return new Promise((resolve, reject) => {
      const { port, path, method = "GET", headers = {}, body = "" } = settings;
      const request = httpRequest(
        { host: "127.0.0.1", port, path, method, headers, agent: false },
        (response) => {
          if (response.statusCode !== 200) reject(new Error(`HTTP status ${response.statusCode}`));
          response.on("data", (chunk) => {
            firstMs ||= performance.now() - begun;
            bytes += chunk.length;
            if (!settings.pauseMs) return;
            response.pause();
            setTimeout(() => response.resume(), settings.pauseMs);
          });
          response.on("end", resolve).on("error", reject);
        },
      );
      request.on("error", reject).end(base64(body));
    });
  },
};

/** StreamRestoreRequest{chunk{offset, data}} by hand: making the messages must not be what is measured. */
function framed(offset, data) {
  const offsetField = [0x08, ...varint(offset)];
  const dataField = [0x12, ...varint(data.length)];
  const inner = offsetField.length + dataField.length + data.length;
  return Buffer.concat([Buffer.from([0x12, ...varint(inner), ...offsetField, ...dataField]), data]);
}
function varint(value) {
  const out = [];
  for (let left = BigInt(value); ;) {
    const low = Number(left & 127n);
    left >>= 7n;
    out.push(left > 0n ? low | 128 : low);
    if (left === 0n) return out;
  }
}

await jobs[work]();
console.log(JSON.stringify({ ms: performance.now() - begun, firstMs, bytes, count }));
client.close();
process.exit(0);

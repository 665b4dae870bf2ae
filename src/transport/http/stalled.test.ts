import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { hostNames } from "../../security/hosts.js";
import { sendError } from "../../xenon/dialect/error-response.js";
import { endWhenRead, sendJson } from "./respond.js";
import type { HttpHandler } from "./handler.js";
import { HttpServer } from "./server.js";
import { eventually } from "../../../test/support/eventually.js";

const pace = { timeoutMs: 200, progressBytes: 1000, checkMs: 20 };
let server: HttpServer;
afterEach(() => server.close(0));

async function begin(handler: HttpHandler) {
  server = new HttpServer({
    host: "127.0.0.1",
    port: 0,
    hostNames: hostNames("127.0.0.1"),
    handlers: [handler],
    sendError,
    bodyPace: pace,
  });
  const { port } = await server.open();
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  let answer = "";
  socket.setEncoding("latin1").on("data", (text: string) => (answer += text));
  socket.write("PUT / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n");
  const chunk = (bytes: number) =>
    socket.write(`${bytes.toString(16)}\r\n${"x".repeat(bytes)}\r\n`);
  // Not events.once, which rejects: what is sent to a connection that was closed may be answered by a reset.
  const closed = new Promise((resolve) => socket.once("close", resolve));
  return { socket, chunk, closed, answer: () => answer };
}
const readAll: HttpHandler = async (request, response) => {
  for await (const _ of request);
  sendJson(response, 200, "{}");
  return true;
};

test("allows a body that makes progress to take longer than the timeout", async () => {
  const { socket, chunk, answer } = await begin(readAll);
  for (let i = 0; i < 10; i++) {
    chunk(600);
    // All pauses together exceed the timeout, each one does not.
    await sleep(80);
  }
  socket.write("0\r\n\r\n");
  await eventually(() => answer() !== "");
  expect(answer()).toMatch(/^HTTP\/1\.1 200/);
  socket.destroy();
});

test.each([0, 1])(
  "closes the connection of a body that stalls or arrives in chunks of %i byte",
  async (bytes) => {
    const { chunk, closed, socket } = await begin((request, response, signal) =>
      readAll(request, response, signal).catch(() => true),
    );
    const timer = setInterval(() => bytes > 0 && socket.writable && chunk(bytes), 20);
    const begun = Date.now();
    await closed;
    clearInterval(timer);
    expect(Date.now() - begun).toBeGreaterThan(150);
  },
);

test("does not count slow reading or a slow response of the host as a stall", async () => {
  const { socket, chunk, answer } = await begin(async (request, response, signal) => {
    // Longer than the timeout.
    await sleep(600);
    await readAll(request, response, signal);
    return true;
  });
  chunk(2000);
  // Until the host has read the received bytes.
  await sleep(650);
  socket.write("0\r\n\r\n");
  await eventually(() => answer() !== "");
  expect(answer()).toMatch(/^HTTP\/1\.1 200/);
  socket.destroy();
});

test("completes the response when the handler stops reading a body early", async () => {
  const { socket, chunk, answer } = await begin(async (request, response) => {
    for await (const _ of request) break;
    response.writeHead(200).write("a part");
    // The response starts long before it ends.
    await sleep(100);
    endWhenRead(request, response);
    return true;
  });
  chunk(100);
  await eventually(() => answer().includes("a part"));
  await once(socket, "close");
});

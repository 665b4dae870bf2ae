import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { HostError } from "../../errors.js";
import { hostNames } from "../../security/hosts.js";
import { createShares } from "../../security/shares.js";
import { openAdmission } from "../admission.js";
import { createRequestShares } from "../request-shares.js";
import { sendError } from "../../xenon/dialect/error-response.js";
import { readText } from "./body.js";
import { holdOf } from "./held-bytes.js";
import { sendJson } from "./respond.js";
import { HttpServer } from "./server.js";
import { eventually } from "../../../test/support/eventually.js";

const shares = createShares(
  { total: 250_000, perClient: 150_000 },
  () => new HostError("OVERLOADED", "Too much."),
);
let goOn: (() => void) | undefined;
const server = new HttpServer({
  host: "127.0.0.1",
  port: 0,
  hostNames: hostNames("127.0.0.1"),
  admission: {
    ...openAdmission(),
    identify: (token = "") => ({ key: token, authenticated: true, admin: false }),
    shares: { ...createRequestShares(), bytes: shares },
  },
  handlers: [
    async (request, response) => {
      if (request.method === "DELETE") {
        await new Promise<void>((resolve) => (goOn = resolve));
        holdOf(request).add(100_000);
        return true;
      }
      const text = await readText(request, 1_000_000);
      sendJson(response, 200, String(text.length));
      return true;
    },
  ],
  sendError,
});
let port: number;
beforeAll(async () => ({ port } = await server.open()));
afterAll(() => server.close(0));

function put(
  client: string,
  declared: number,
  sent: number,
): Promise<{ socket: Socket; answer: () => string }> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(
        `PUT / HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${client}\r\ncontent-length: ${declared}\r\n\r\n${"x".repeat(sent)}`,
      );
      resolve({ socket, answer: () => text });
    });
    socket
      .on("data", (chunk: Buffer) => (text += chunk.toString("latin1")))
      .on("error", () => undefined);
  });
}

test("charges nothing to a client that has gone: nothing would release it", async () => {
  const socket = connect(port, "127.0.0.1");
  socket.write("DELETE / HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer c\r\n\r\n");
  const work = await eventually(() => goOn);
  socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  work();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(shares.taken()).toBe(0);
});

test("bounds incomplete bodies by the share of their client and releases it afterwards", async () => {
  const first = await put("a", 200_000, 100_000);
  await eventually(() => shares.taken() === 100_000);
  const second = await put("a", 200_000, 100_000);
  await eventually(
    () => second.answer().startsWith("HTTP/1.1 503") && second.answer().includes("retry-after"),
  );
  expect(shares.taken()).toBe(100_000);
  // Another client is not affected, and its share is released with the response.
  const other = await put("b", 50_000, 50_000);
  await eventually(() => other.answer().endsWith("50000"));
  await eventually(() => shares.taken() === 100_000);
  first.socket.destroy();
  await eventually(() => shares.taken() === 0);
  await once(second.socket, "close");
  other.socket.destroy();
});

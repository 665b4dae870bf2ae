import { startDialectHost, type DialectHost } from "../../../test/support/dialect-host.js";
import { hostNames } from "../../security/hosts.js";
import { sendError } from "../../xenon/dialect/error-response.js";
import { sendJson } from "./respond.js";
import type { HttpHandler } from "./handler.js";
import { HttpServer } from "./server.js";
import { eventually } from "../../../test/support/eventually.js";

let host: DialectHost;
beforeEach(async () => {
  host = await startDialectHost();
});
afterEach(() => host.server.close(0));

const post = (body: string, more = "") =>
  `POST /core/examples HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${more}\r\n${body}`;
const get = (path: string, name = "localhost") => `GET ${path} HTTP/1.1\r\nhost: ${name}\r\n\r\n`;
const statuses = (text: string) =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => match[1]);

describe("the Host header", () => {
  test("must be a name of the host", async () => {
    for (const [name, status] of [
      ["localhost", 200],
      ["127.0.0.1:1", 200],
      ["holdfast.test", 200],
      ["evil.example", 403],
      ["127.0.0.1.evil.example:8000", 403],
    ] as const) {
      const answer = await host.call("GET", "/core/examples", undefined, { host: name });
      expect({ name, status: answer.status }).toEqual({ name, status });
    }
    await host.call("POST", "/core/examples", { name: "x" }, { host: "evil.example" });
    expect(host.store.log).toHaveLength(0);
  });

  test("must occur exactly once, and the target must be a path", async () => {
    const { socket, received, closed } = await host.dial();
    socket.write("GET /core/examples HTTP/1.1\r\n\r\n");
    await closed;
    expect(statuses(received())).toEqual(["400"]);
    const absolute = await host.dial();
    absolute.socket.write(
      "GET http://evil.example/core/examples HTTP/1.1\r\nhost: localhost\r\n\r\n",
    );
    await eventually(() => absolute.received().includes("HTTP/1.1 400"));
    absolute.socket.destroy();
    const twice = await host.dial();
    twice.socket.write("GET /core/examples HTTP/1.1\r\nhost: localhost\r\nHost: localhost\r\n\r\n");
    await eventually(
      () =>
        twice.received().includes("HTTP/1.1 400") &&
        twice.received().includes("several Host headers"),
    );
    twice.socket.destroy();
  });
});

describe("pipelined requests", () => {
  test("are handled in order, so that a GET sees the preceding POST", async () => {
    const write = host.store.write.bind(host.store);
    host.store.write = async (one) => {
      // The second request arrives during the first.
      await new Promise((resolve) => setTimeout(resolve, 30));
      return write(one);
    };
    const { socket, received } = await host.dial();
    socket.write(
      post('{"name":"a","documentSelfLink":"a"}') +
        get("/core/examples/a") +
        post('{"name":"a","documentSelfLink":"a"}') +
        get("/core/examples"),
    );
    await eventually(() => statuses(received()).length === 4);
    expect(statuses(received())).toEqual(["200", "200", "409", "200"]);
    socket.destroy();
  });

  test("are dropped when the client disconnects", async () => {
    const { socket, closed } = await host.dial();
    let release = () => {};
    host.store.write = () => new Promise((resolve) => (release = () => resolve(undefined)));
    socket.write(post('{"name":"a"}') + get("/core/examples"));
    // Time for both requests to arrive.
    await new Promise((resolve) => setTimeout(resolve, 50));
    let listed = 0;
    host.store.page = () => {
      listed += 1;
      return Promise.resolve({ documents: [] });
    };
    socket.destroy();
    await closed;
    release();
    // Time in which the second request would be handled.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(listed).toBe(0);
  });

  test("are bounded", async () => {
    host.store.write = () => new Promise(() => undefined);
    const { socket, closed } = await host.dial();
    socket.write(post('{"name":"a"}') + get("/core/examples").repeat(2000));
    await closed;
  });

  test("followed by data that is not HTTP are answered before the error", async () => {
    const { socket, received, closed } = await host.dial();
    socket.write(`${get("/core/examples/available")}NONSENSE\r\n\r\n`);
    await closed;
    expect(statuses(received())).toEqual(["200", "400"]);
  });
});

describe("bodies", () => {
  test("may be split anywhere, even within a character", async () => {
    const { socket, received } = await host.dial();
    const bytes = Buffer.from(post('{"name":"é€😀","documentSelfLink":"slow"}'));
    for (let i = 0; i < bytes.length; i += 3) {
      socket.write(bytes.subarray(i, i + 3));
      // Sends the parts as separate packets.
      if (i % 30 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await eventually(() => statuses(received()).length === 1);
    expect((await host.call("GET", "/core/examples/slow")).text).toContain('"name":"é€😀"');
    socket.destroy();
  });

  test("may be chunked", async () => {
    const { socket, received } = await host.dial();
    socket.write(
      'POST /core/examples HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n8\r\n{"name":\r\n4\r\n"c"}\r\n0\r\n\r\n',
    );
    await eventually(() => received().includes('"name":"c"'));
    socket.destroy();
  });

  test("with a declared length above the limit are rejected at once, and the connection closes", async () => {
    const { socket, received, closed } = await host.dial();
    socket.write(
      "POST /core/examples HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n{",
    );
    await eventually(() => received().includes("}"));
    expect(received()).toMatch(
      /^HTTP\/1\.1 413 Payload Too Large\r\ncontent-type: application\/json\r\ncontent-length: \d+\r\nconnection: close\r\nx-content-type-options: nosniff\r\n\r\n\{"message":".*exceeds the limit/,
    );
    await closed;
  });

  test("of undeclared length are rejected when they exceed the limit", async () => {
    const { socket, received, closed } = await host.dial();
    socket.write(
      "PATCH /core/management HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`;
    const feed = setInterval(() => socket.writable && socket.write(chunk), 1);
    await closed;
    clearInterval(feed);
    expect(statuses(received())).toEqual(["413"]);
  });

  test("with Expect: 100-continue are accepted or rejected before they are sent", async () => {
    const asking = await host.dial();
    const body = '{"name":"asked"}';
    const head = (length: number) =>
      `POST /core/examples HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: ${length}\r\n\r\n`;
    asking.socket.write(head(body.length));
    await eventually(() => asking.received().startsWith("HTTP/1.1 100 Continue"));
    asking.socket.write(body);
    await eventually(() => asking.received().includes('"name":"asked"'));
    asking.socket.destroy();
    const greedy = await host.dial();
    greedy.socket.write(head(999_999_999));
    await greedy.closed;
    expect(statuses(greedy.received())).toEqual(["413"]);
  });

  test("of a client that disconnects before the end have no effect", async () => {
    const { socket, closed } = await host.dial();
    socket.write(post('{"name":"half"}').slice(0, -5));
    // Time for the bytes to arrive, and after the disconnect for a wrong write.
    await new Promise((resolve) => setTimeout(resolve, 30));
    socket.destroy();
    await closed;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(host.store.log).toHaveLength(0);
    expect(host.internal).toEqual([]);
  });

  test("of a client that half-closes before the end are dropped at once", async () => {
    const { socket, closed } = await host.dial();
    socket.end(post('{"name":"half"}').slice(0, -5));
    await closed;
    expect(host.store.log).toHaveLength(0);
  });

  test("of a client that disconnects before the response are stored", async () => {
    const write = host.store.write.bind(host.store);
    let release = () => {};
    host.store.write = async (one) => {
      await new Promise<void>((resolve) => (release = resolve));
      return write(one);
    };
    const { socket, closed } = await host.dial();
    socket.write(post('{"name":"left","documentSelfLink":"left"}'));
    // Time for the write to start, and for the host to notice the disconnect.
    await new Promise((resolve) => setTimeout(resolve, 30));
    socket.destroy();
    await closed;
    await new Promise((resolve) => setTimeout(resolve, 20));
    release();
    await eventually(() => host.store.log.length === 1);
    expect((await host.call("GET", "/core/examples/left")).status).toBe(200);
    expect(host.internal).toEqual([]);
  });

  test("with two lengths, or with a length and chunked encoding, are rejected", async () => {
    for (const more of ["content-length: 3\r\n", "transfer-encoding: chunked\r\n"]) {
      const { socket, received, closed } = await host.dial();
      socket.write(post('{"name":"smuggled"}', more));
      await closed;
      expect(statuses(received())).toEqual(["400"]);
    }
    expect(host.store.log).toHaveLength(0);
  });
});

describe("headers", () => {
  test("above the size limit are rejected", async () => {
    const { socket, received, closed } = await host.dial();
    socket.write(
      `GET /core/examples HTTP/1.1\r\nhost: localhost\r\nx: ${"y".repeat(20_000)}\r\n\r\n`,
    );
    await closed;
    expect(statuses(received())).toEqual(["431"]);
  });

  test("of HTTP/1.0 and Connection: close end the connection after the response", async () => {
    const old = await host.dial();
    old.socket.write("GET /core/examples/available HTTP/1.0\r\n\r\n");
    await old.closed;
    expect(old.received()).toMatch(/connection: close/);
    const closing = await host.dial();
    closing.socket.write(
      "GET /core/examples/available HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    );
    await closing.closed;
    expect(closing.received()).toMatch(/connection: close/);
  });

  test("of responses omit Date, Server and Keep-Alive", async () => {
    const answer = await host.call("GET", "/core/examples");
    expect(answer.rawHeaders.filter((_, i) => i % 2 === 0)).toEqual([
      "content-type",
      "content-length",
      "connection",
      "x-content-type-options",
    ]);
  });
});

describe("closing", () => {
  async function serve(handler: HttpHandler) {
    const server = new HttpServer({
      host: "127.0.0.1",
      port: 0,
      hostNames: hostNames("127.0.0.1"),
      handlers: [handler],
      sendError,
    });
    const { port } = await server.open();
    return { server, url: `http://127.0.0.1:${port}/` };
  }

  test("waits for requests in flight and accepts no others", async () => {
    let release = () => {};
    let begun = false;
    const { server, url } = await serve(async (_request, response) => {
      begun = true;
      await new Promise<void>((resolve) => (release = resolve));
      sendJson(response, 200, "{}");
      return true;
    });
    const inFlight = fetch(url);
    await eventually(() => begun);
    const closed = server.close(5000);
    await expect(fetch(url)).rejects.toThrow();
    release();
    const answer = await inFlight;
    expect(answer.status).toBe(200);
    expect(answer.headers.get("connection")).toBe("close");
    await closed;
  });

  test("closes requests that exceed the grace period and aborts their signal", async () => {
    let aborted = false;
    let begun = false;
    const { server, url } = await serve((_request, _response, signal) => {
      begun = true;
      signal().addEventListener("abort", () => (aborted = true));
      return new Promise(() => undefined);
    });
    const inFlight = fetch(url);
    const cut = expect(inFlight).rejects.toThrow();
    await eventually(() => begun);
    await server.close(50);
    await cut;
    expect(aborted).toBe(true);
  });

  test("does not wait for idle connections", async () => {
    const { server, url } = await serve((_request, response) => {
      sendJson(response, 200, "{}");
      return Promise.resolve(true);
    });
    await (await fetch(url)).text();
    const begun = Date.now();
    await server.close(40_000);
    expect(Date.now() - begun).toBeLessThan(20_000);
  });

  test("reports a port in use", async () => {
    const second = new HttpServer({
      host: "127.0.0.1",
      port: host.port,
      hostNames: hostNames("127.0.0.1"),
      handlers: [],
      sendError,
    });
    await expect(second.open()).rejects.toThrow(
      `Cannot listen on 127.0.0.1:${host.port}: the port is in use (EADDRINUSE).`,
    );
  });
});

import * as http2 from "node:http2";
import { create, createFileRegistry, fromBinary, toBinary, type Message } from "@bufbuild/protobuf";
import {
  anyUnpack,
  file_google_protobuf_wrappers,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  StringValueSchema,
  type StringValue,
} from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import * as grpc from "@grpc/grpc-js";
import { eventually } from "../../../test/support/eventually.js";
import { settled } from "../../../test/support/settled.js";
import { HostError } from "../../errors.js";
import { StatusSchema } from "../../../gen/ts/google/rpc/status_pb.js";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.js";
import { bindService } from "../../api/call/bound-service.js";
import { createHealth } from "../../api/health.js";
import { startGrpcServer, type GrpcServer } from "./server.js";

/**
 * A service with a method of each kind, built here so that the product's protos contain no test
 * methods.
 */
const file = create(FileDescriptorProtoSchema, {
  name: "test/echo.proto",
  package: "test",
  syntax: "proto3",
  dependency: ["google/protobuf/wrappers.proto"],
  service: [
    {
      name: "Echo",
      method: (["Unary", "Server", "Client", "Bidi", "Missing"] as const).map((name) => ({
        name,
        inputType: ".google.protobuf.StringValue",
        outputType: ".google.protobuf.StringValue",
        clientStreaming: name === "Client" || name === "Bidi",
        serverStreaming: name === "Server" || name === "Bidi",
      })),
    },
  ],
});
const registry = createFileRegistry(
  create(FileDescriptorSetSchema, { file: [file_google_protobuf_wrappers.proto, file] }),
);
const echo = registry.getService("test.Echo");
if (!echo) throw new Error("test service not found");

const value = (message: Message) => (message as StringValue).value;
const reply = (text: string) => ({ value: text });
const seen = {
  finallyRan: 0,
  written: 0,
  aborted: [] as unknown[],
  internal: [] as unknown[],
  timeoutMs: undefined as number | undefined,
};

const service = bindService(echo, {
  async unary(request: Message, context: HandlerContext) {
    seen.timeoutMs = context.timeoutMs();
    context.signal.addEventListener("abort", () => seen.aborted.push(context.signal.reason));
    context.responseHeader.set("x-header", context.requestHeader.get("x-who") ?? "missing");
    context.responseTrailer.set("x-trailer", "t");
    if (value(request) === "missing")
      throw new HostError("DOCUMENT_NOT_FOUND", "Document not found.", {
        metadata: { link: "/a" },
      });
    if (value(request) === "secret") throw new Error("the password is hunter2");
    if (value(request) === "wait")
      await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
    return reply(value(request));
  },
  async *server(request: Message, context: HandlerContext) {
    try {
      for (let i = 0; ; i++) {
        if (value(request) === "three" && i === 3) return;
        if (value(request) === "fail" && i === 2)
          throw new HostError("BACKUP_DAMAGED", "A segment is damaged.");
        if (value(request) === "slow" && i > 0)
          await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
        seen.written = i;
        if (value(request) === "huge") yield reply("x".repeat(20 * 1024 * 1024));
        yield reply(value(request) === "endless" ? "x".repeat(65536) : String(i));
      }
    } finally {
      seen.finallyRan++;
    }
  },
  async client(requests: AsyncIterable<Message>) {
    const all: string[] = [];
    for await (const request of requests) all.push(value(request));
    return reply(all.join(","));
  },
  async *bidi(requests: AsyncIterable<Message>) {
    let n = 0;
    for await (const request of requests) yield reply(`${value(request)}${n++}`);
    yield reply("end");
  },
} as never);

const encode = (text: string) =>
  Buffer.from(toBinary(StringValueSchema, create(StringValueSchema, { value: text })));
const decode = (bytes: Buffer) => fromBinary(StringValueSchema, bytes).value;

let server: GrpcServer;
let client: grpc.Client;
beforeEach(async () => {
  Object.assign(seen, {
    finallyRan: 0,
    written: 0,
    aborted: [],
    internal: [],
    timeoutMs: undefined,
  });
  server = await startGrpcServer({
    host: "127.0.0.1",
    port: 0,
    services: [service],
    health: createHealth([]),
    onInternalError: (error) => seen.internal.push(error),
  });
  client = new grpc.Client(`127.0.0.1:${server.port}`, grpc.credentials.createInsecure());
});
afterEach(async () => {
  client.close();
  await server.close(0);
});

function unary(text: string | Buffer, options: grpc.CallOptions = {}) {
  return new Promise<string>((resolve, reject) => {
    const bytes = typeof text === "string" ? encode(text) : text;
    client.makeUnaryRequest(
      "/test.Echo/Unary",
      (b: Buffer) => b,
      decode,
      bytes,
      options,
      (error, answer) => (error ? reject(error) : resolve(answer ?? "")),
    );
  });
}
const refusal = (promise: Promise<unknown>) =>
  promise.then(
    () => {
      throw new Error("expected an error");
    },
    (error: grpc.ServiceError) => error,
  );
async function collect(stream: AsyncIterable<string>) {
  const all: string[] = [];
  for await (const item of stream) all.push(item);
  return all;
}
function errorInfo(error: grpc.ServiceError) {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  const status = fromBinary(StatusSchema, bytes as Buffer);
  return status.details.map((detail) => anyUnpack(detail, ErrorInfoSchema)).find((info) => info);
}

test("serves a unary call with headers and trailers", async () => {
  const metadata = new grpc.Metadata();
  metadata.set("x-who", "me");
  const headers: grpc.Metadata[] = [];
  const trailers: grpc.Metadata[] = [];
  const answer = await new Promise<string | undefined>((resolve, reject) => {
    const call = client.makeUnaryRequest(
      "/test.Echo/Unary",
      (b: Buffer) => b,
      decode,
      encode("hello"),
      metadata,
      (error, text) => (error ? reject(error) : resolve(text)),
    );
    call.on("metadata", (md) => headers.push(md));
    call.on("status", (status) => trailers.push(status.metadata));
  });
  await eventually(() => trailers.length === 1);
  expect(answer).toBe("hello");
  expect(headers[0]?.get("x-header")).toEqual(["me"]);
  expect(trailers[0]?.get("x-trailer")).toEqual(["t"]);
});

test("serves a server stream", async () => {
  expect(
    await collect(client.makeServerStreamRequest("/test.Echo/Server", encode, decode, "three")),
  ).toEqual(["0", "1", "2"]);
});

test("serves a client stream", async () => {
  const answer = await new Promise((resolve, reject) => {
    const call = client.makeClientStreamRequest(
      "/test.Echo/Client",
      encode,
      decode,
      (error, text) => (error ? reject(error) : resolve(text)),
    );
    for (const text of ["a", "b", "c"]) call.write(text);
    call.end();
  });
  expect(answer).toBe("a,b,c");
});

test("continues a bidirectional stream after the client has closed its half", async () => {
  const call = client.makeBidiStreamRequest("/test.Echo/Bidi", encode, decode);
  call.write("a");
  call.write("b");
  call.end();
  expect(await collect(call)).toEqual(["a0", "b1", "end"]);
});

test("reports a HostError with code, message and reason", async () => {
  const error = await refusal(unary("missing"));
  expect(error.code).toBe(grpc.status.NOT_FOUND);
  expect(error.details).toBe("Document not found.");
  expect(errorInfo(error)).toMatchObject({
    reason: "DOCUMENT_NOT_FOUND",
    domain: "holdfast",
    metadata: { link: "/a" },
  });
  expect(seen.internal).toEqual([]);
});

test("hides the message of an unexpected error from the client and reports it internally", async () => {
  const error = await refusal(unary("secret"));
  expect(error.code).toBe(grpc.status.INTERNAL);
  expect(JSON.stringify(error) + String(error)).not.toContain("hunter2");
  expect(String(seen.internal[0])).toContain("hunter2");
});

test("rejects bytes that are not a valid message with INVALID_ARGUMENT", async () => {
  const error = await refusal(unary(Buffer.from([0x0a, 0xff])));
  expect(error.code).toBe(grpc.status.INVALID_ARGUMENT);
  expect(errorInfo(error)?.reason).toBe("REQUEST_INVALID");
});

test("reports a method without implementation as UNIMPLEMENTED", async () => {
  const error = await refusal(
    new Promise((resolve, reject) => {
      client.makeUnaryRequest("/test.Echo/Missing", encode, decode, "x", (failure, text) =>
        failure ? reject(failure) : resolve(text),
      );
    }),
  );
  expect(error.code).toBe(grpc.status.UNIMPLEMENTED);
  expect(errorInfo(error)?.reason).toBe("NOT_SUPPORTED");
});

test("reports an error during a stream after the preceding messages", async () => {
  const got: string[] = [];
  const call = client.makeServerStreamRequest("/test.Echo/Server", encode, decode, "fail");
  const error = await new Promise<grpc.ServiceError>((resolve) =>
    call.on("data", (text: string) => got.push(text)).on("error", resolve),
  );
  expect(got).toEqual(["0", "1"]);
  expect(error.code).toBe(grpc.status.DATA_LOSS);
});

test("passes the deadline to the handler and ends the call at the deadline", async () => {
  const error = await refusal(unary("wait", { deadline: Date.now() + 200 }));
  expect(error.code).toBe(grpc.status.DEADLINE_EXCEEDED);
  expect(seen.timeoutMs).toBeGreaterThan(0);
  expect(seen.timeoutMs).toBeLessThanOrEqual(200);
  await eventually(() => seen.aborted.length > 0);
});

test("aborts the handler's signal and runs its finally block when the client cancels", async () => {
  const call = client.makeServerStreamRequest("/test.Echo/Server", encode, decode, "slow");
  call.on("error", () => undefined);
  await new Promise((resolve) => call.once("data", resolve));
  call.cancel();
  await eventually(() => seen.finallyRan === 1);
});

test("pauses the handler while the client does not read", async () => {
  // Uses plain HTTP/2 because the grpc-js client keeps reading on its own.
  const session = http2.connect(`http://127.0.0.1:${server.port}`);
  const call = session.request({
    ":method": "POST",
    ":path": "/test.Echo/Server",
    "content-type": "application/grpc",
    te: "trailers",
  });
  const request = encode("endless");
  call.end(Buffer.concat([Buffer.from([0, 0, 0, 0, request.length]), request]));
  await eventually(() => seen.written > 5);
  expect(await settled(() => seen.written)).toBeLessThan(100);
  call.close(http2.constants.NGHTTP2_CANCEL);
  await eventually(() => seen.finallyRan === 1);
  session.destroy();
});

test("rejects a response above the size limit, also in a stream", async () => {
  const stream = collect(
    client.makeServerStreamRequest("/test.Echo/Server", encode, decode, "huge"),
  );
  expect((await refusal(stream)).code).toBe(grpc.status.RESOURCE_EXHAUSTED);
  await eventually(() => seen.finallyRan === 1);
});

test("rejects a request above the size limit", async () => {
  const error = await refusal(unary("x".repeat(21 * 1024 * 1024)));
  expect(error.code).toBe(grpc.status.RESOURCE_EXHAUSTED);
});

test("accepts messages of 16 MiB in both directions", async () => {
  client.close();
  client = new grpc.Client(`127.0.0.1:${server.port}`, grpc.credentials.createInsecure(), {
    "grpc.max_receive_message_length": 20 * 1024 * 1024,
  });
  expect((await unary("x".repeat(16 * 1024 * 1024))).length).toBe(16 * 1024 * 1024);
});

test("waits for calls during the grace period on close, then aborts the rest with UNAVAILABLE", async () => {
  const stream = client.makeServerStreamRequest("/test.Echo/Server", encode, decode, "slow");
  const failure = new Promise<grpc.ServiceError>((resolve) => stream.on("error", resolve));
  await new Promise((resolve) => stream.once("data", resolve));
  const begun = Date.now();
  await server.close(300);
  expect(Date.now() - begun).toBeLessThan(20_000);
  expect((await failure).code).toBe(grpc.status.UNAVAILABLE);
});

test("reports a port in use as a configuration error", async () => {
  await expect(
    startGrpcServer({
      host: "127.0.0.1",
      port: server.port,
      services: [],
      health: createHealth([]),
      onInternalError: () => undefined,
    }),
  ).rejects.toMatchObject({ reason: "CONFIGURATION_INVALID" });
});

test("authorizes each call with its bearer token before anything else", async () => {
  const authorized: unknown[] = [];
  const guarded = await startGrpcServer({
    host: "127.0.0.1",
    port: 0,
    services: [service],
    health: createHealth([]),
    onInternalError: () => undefined,
    authorize(method, { bearerToken: token, address }) {
      expect(address).toBe("127.0.0.1");
      authorized.push([`${method.parent.typeName}/${method.name}`, token]);
      if (token !== "good") throw new HostError("TOKEN_MISSING", "Send a token.");
    },
  });
  client.close();
  client = new grpc.Client(`127.0.0.1:${guarded.port}`, grpc.credentials.createInsecure());
  expect((await refusal(unary("hello"))).code).toBe(grpc.status.UNAUTHENTICATED);
  const metadata = new grpc.Metadata();
  metadata.set("authorization", "Bearer good");
  const answer = await new Promise((resolve, reject) => {
    client.makeUnaryRequest("/test.Echo/Unary", encode, decode, "hello", metadata, (error, text) =>
      error ? reject(error) : resolve(text),
    );
  });
  expect(answer).toBe("hello");
  expect(authorized).toEqual([
    ["test.Echo/Unary", undefined],
    ["test.Echo/Unary", "good"],
  ]);
  await guarded.close(0);
});

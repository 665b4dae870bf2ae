import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from "node:http2";
import {
  DocumentService,
  GetDocumentRequestSchema,
} from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { ByteStream, WriteRequestSchema } from "../../../gen/ts/google/bytestream/bytestream_pb.js";
import { create, toBinary } from "@bufbuild/protobuf";
import { HostError } from "../../errors.js";
import { limits } from "../../limits.js";
import { identifyBy } from "../../security/clients.js";
import { createShares } from "../../security/shares.js";
import { openTokens } from "../../security/tokens.js";
import { openAdmission } from "../admission.js";
import { bindService } from "../../api/call/bound-service.js";
import { createHealth } from "../../api/health.js";
import { createAccess } from "../../security/access.js";
import { authorizeMethods } from "../../api/policy/method-roles.js";
import { createRequestShares } from "../request-shares.js";
import { startGrpcServer, type GrpcServer } from "./server.js";
import { eventually } from "../../../test/support/eventually.js";

const tokens = openTokens("w write,restore");
const refuse = () => new HostError("OVERLOADED", "Too much.");
const shares = {
  ...createRequestShares(),
  bytes: createShares({ total: 100e6, perClient: 60e6 }, refuse),
};
let consumeWrites = () => {};
let readDocument = () => {};
const services = [
  bindService(DocumentService, {
    createDocument: () => ({}),
    async getDocument() {
      await new Promise<void>((resolve) => (readDocument = resolve));
      const value = new Uint8Array(2 * limits.decodeSliceBytes);
      return { body: { case: "json" as const, value } };
    },
  }),
  bindService(ByteStream, {
    async write(requests) {
      let bytes = 0n;
      for await (const { data } of requests) {
        // The first message is taken; the others wait.
        if (bytes === 0n) await new Promise<void>((resolve) => (consumeWrites = resolve));
        bytes += BigInt(data.length);
      }
      return { committedSize: bytes };
    },
  }),
];
let server: GrpcServer;
let session: ClientHttp2Session;
beforeAll(async () => {
  server = await startGrpcServer({
    host: "127.0.0.1",
    port: 0,
    services,
    health: createHealth([]),
    onInternalError: () => undefined,
    authorize: authorizeMethods(createAccess(tokens, () => undefined)),
    admission: { ...openAdmission(), identify: identifyBy(tokens), shares },
  });
});
beforeEach(
  () =>
    void (session = connect(`http://127.0.0.1:${server.port}`, { maxSessionMemory: 1000 }).on(
      "error",
      () => undefined,
    )),
);
afterEach(() => session.destroy());
afterAll(() => server.close(0));

function call(
  path: string,
  token?: string,
): { stream: ClientHttp2Stream; status: () => string | undefined } {
  const headers = {
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...(token && { authorization: `Bearer ${token}` }),
  };
  const stream = session
    .request(headers)
    .on("error", () => undefined)
    .resume();
  let status: string | undefined;
  const note = (answer: IncomingHttpHeaders) =>
    (status = (answer["grpc-status"] as string | undefined) ?? status);
  stream.on("response", note).on("trailers", note);
  return { stream, status: () => status };
}
const head = (bytes: number, compressed = 0) => {
  const text = Buffer.from([compressed, 0, 0, 0, 0]);
  text.writeUInt32BE(bytes, 1);
  return text;
};
const createDocument = "/holdfast.document.v1.DocumentService/CreateDocument";

test("rejects a call without a token before its message is complete, and releases its memory", async () => {
  const { stream, status } = call(createDocument);
  stream.write(Buffer.concat([head(19e6), Buffer.alloc(1e6)]));
  await eventually(() => status() === "16" && stream.destroyed);
  expect(shares.bytes.taken()).toBe(0);
  expect(shares.calls.taken()).toBe(0);
});

test("bounds incomplete messages by the share of their client and releases it afterwards", async () => {
  const calls = Array.from({ length: 5 }, () => call(createDocument, "w"));
  for (const { stream } of calls) stream.write(Buffer.concat([head(19e6), Buffer.alloc(15e6)]));
  await eventually(() => calls.some(({ status }) => status() === "14"));
  await eventually(
    () =>
      shares.bytes.taken() ===
      calls.filter(({ status }) => status() === undefined).length * (15e6 + 5),
  );
  expect(shares.bytes.taken()).toBeLessThanOrEqual(60e6);
  session.destroy();
  await eventually(() => shares.bytes.taken() === 0 && shares.calls.taken() === 0);
});

test("charges a small compressed message at the maximum message size", async () => {
  const calls = Array.from({ length: 3 }, () => call(createDocument, "w"));
  for (const { stream } of calls) stream.write(Buffer.concat([head(1000, 1), Buffer.alloc(10)]));
  await eventually(() => calls.some(({ status }) => status() === "14"));
  expect(shares.bytes.taken()).toBeLessThanOrEqual(60e6);
});

test("charges no answer to a client that has gone before it was made", async () => {
  const { stream } = call("/holdfast.document.v1.DocumentService/GetDocument", "w");
  const wait = readDocument;
  const schema = GetDocumentRequestSchema;
  const message = toBinary(schema, create(schema, { selfLink: "/things/a" }));
  stream.end(Buffer.concat([head(message.length), message]));
  await eventually(() => readDocument !== wait);
  stream.close(constants.NGHTTP2_CANCEL);
  await eventually(() => shares.calls.taken() === 0);
  readDocument();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(shares.answers.taken()).toBe(0);
});

test("pauses reading a stream while its messages are not consumed", async () => {
  const message = toBinary(
    WriteRequestSchema,
    create(WriteRequestSchema, { resourceName: "x", data: new Uint8Array(4e6) }),
  );
  const { stream, status } = call("/google.bytestream.ByteStream/Write", "w");
  const count = 30;
  for (let i = 0; i < count; i++) stream.write(Buffer.concat([head(message.length), message]));
  stream.end();
  await eventually(() => shares.bytes.taken() > 2 * message.length);
  // Time in which the host would read further messages.
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(shares.bytes.taken()).toBeLessThan(limits.grpcQueuedBytes + 3 * message.length);
  consumeWrites();
  await eventually(() => status() === "0");
  await eventually(() => shares.bytes.taken() === 0);
});

test("bounds calls without a token, and closes connections that keep exceeding the bound", async () => {
  const reconnect = () => connect(`http://127.0.0.1:${server.port}`).on("error", () => undefined);
  // The refusals of the tests before are forgotten.
  await new Promise((resolve) => setTimeout(resolve, limits.connectionCheckMs + 200));
  const other = reconnect();
  const first = session;
  const watches = Array.from({ length: limits.unauthenticatedCalls / 4 }, () =>
    call("/grpc.health.v1.Health/Watch"),
  );
  for (const { stream } of watches) stream.write(head(0));
  await eventually(() => shares.calls.taken() === limits.unauthenticatedCalls / 4);
  session = other;
  const more = Array.from({ length: limits.refusedCalls }, () =>
    call("/grpc.health.v1.Health/Watch"),
  );
  await eventually(() => more.every(({ status }) => status() === "14"));
  expect(other.destroyed).toBe(false);
  call("/grpc.health.v1.Health/Watch");
  // Before the idle timeout of 10 s could be the reason.
  await eventually(() => other.destroyed, { timeoutMs: 8000 });
  // The count of the network starts again each second, so a slow machine may need a further attempt.
  const single = "/grpc.health.v1.Health/Watch";
  let closed = false;
  for (let attempt = 0; !closed && attempt < 10; attempt += 1) {
    const many = (session = reconnect());
    for (let i = 0; i <= limits.refusedCalls; i += 1) call(single);
    await eventually(() => many.destroyed, { timeoutMs: 8000 });
    const fresh = (session = reconnect());
    const { status } = call(single);
    await eventually(() => fresh.destroyed || status() === "14");
    closed = fresh.destroyed;
    fresh.destroy();
  }
  expect(closed).toBe(true);
  expect(first.destroyed).toBe(false);
  expect(shares.calls.taken()).toEqual(limits.unauthenticatedCalls / 4);
});

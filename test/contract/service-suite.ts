import { toJson } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Client, type Transport } from "@connectrpc/connect";
import { setTimeout as sleep } from "node:timers/promises";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.js";
import { Operations } from "../../gen/ts/google/longrunning/operations_pb.js";
import {
  BodyFormat,
  DocumentSchema,
  DocumentService,
} from "../../gen/ts/holdfast/document/v1/document_pb.js";
import {
  Container,
  HostSchema,
  ManagementService,
} from "../../gen/ts/holdfast/management/v1/management_pb.js";
import { limits } from "../../src/limits.js";
import { eventually } from "../support/eventually.js";
import { settled } from "../support/settled.js";
import type { Served, Protocol } from "./transports/all.js";
import { beyondDoubles, serveShapes } from "./transports/shapes.js";

/** A factory of plain documents on the hosts. */
export const factoryPath = "/things";

export interface ServiceSuite {
  protocol: Protocol;
  /** A real host, one with the tokens reader and writer, and an in-process caller of the first. */
  hosts: () => { open: Served; guarded: Served; direct: Transport };
}

/** An error as a program reads it. */
async function failure(work: Promise<unknown>) {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => ConnectError.from(thrown),
  );
  const [info] = error?.findDetails(ErrorInfoSchema) ?? [];
  const fields = error
    ?.findDetails(BadRequestSchema)
    .flatMap(({ fieldViolations }) => fieldViolations.map(({ field }) => field));
  return {
    code: error === undefined ? "none" : Code[error.code],
    reason: info?.reason,
    metadata: info?.metadata,
    fields,
    message: error?.rawMessage,
  };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** The behaviour that all protocols share. */
export function serviceSuite({ protocol, hosts }: ServiceSuite): void {
  let close: () => unknown = () => undefined;
  afterEach(() => close());
  const withTransport = (served: Served) => {
    const opened = protocol.open(served);
    close = opened.close;
    return opened.transport;
  };

  describe("a real host", () => {
    let documents: Client<typeof DocumentService>;
    let direct: Client<typeof DocumentService>;
    let transport: Transport;
    beforeEach(() => {
      transport = withTransport(hosts().open);
      documents = createClient(DocumentService, transport);
      direct = createClient(DocumentService, hosts().direct);
    });
    const id = () => `d-${Math.random().toString(36).slice(2)}`;
    const make = (documentId: string, text = '{"n":9007199254740993}') =>
      documents.createDocument({
        factoryLink: factoryPath,
        documentId,
        body: { case: "json", value: bytes(text) },
      });

    test("creates, reads, changes, lists and deletes documents with the results of in-process calls", async () => {
      const name = id();
      const link = `${factoryPath}/${name}`;
      const made = await make(name);
      const same = async (document: Parameters<typeof toJson<typeof DocumentSchema>>[1]) =>
        expect(toJson(DocumentSchema, document)).toEqual(
          toJson(DocumentSchema, await direct.getDocument({ selfLink: link })),
        );
      await same(made);
      await same(await documents.getDocument({ selfLink: link }));
      await same(
        await documents.patchDocument({
          selfLink: link,
          expectedVersion: 0n,
          body: { case: "json", value: bytes('{"m":18446744073709551615}') },
        }),
      );
      await same(
        await documents.replaceDocument({
          selfLink: link,
          body: { case: "json", value: bytes('{"n":1}') },
        }),
      );
      const page = await documents.listDocuments({
        factoryLink: factoryPath,
        bodyFormat: BodyFormat.FIELDS,
        filter: `documentSelfLink eq '${link}'`,
      });
      expect(
        page.documents.map(({ selfLink, version, body }) => [selfLink, version, body.case]),
      ).toEqual([[link, 2n, "fields"]]);
      const { versions } = await documents.listDocumentVersions({ selfLink: link, pageSize: 2 });
      expect(versions.map(({ version }) => version)).toEqual([2n, 1n]);
      expect((await documents.deleteDocument({ selfLink: link })).document?.version).toBe(3n);
    });

    test("runs a backup as an operation, waits for it and describes the backup", async () => {
      const management = createClient(ManagementService, transport);
      const asked = await management.getHost({});
      expect(toJson(HostSchema, asked)).toMatchObject({
        id:
          (protocol.can.wire ? hosts().open.id : undefined) ??
          (await createClient(ManagementService, hosts().direct).getHost({})).id,
      });
      const { name } = await management.backup({
        destination: `file:${asked.dataDirectory}-${id()}`,
        container: Container.DIRECTORY,
      });
      const done = await createClient(Operations, transport).waitOperation({
        name,
        timeout: { seconds: 30n },
      });
      expect(done).toMatchObject({
        done: true,
        result: { case: "response" },
        metadata: { typeUrl: "type.googleapis.com/holdfast.management.v1.OperationMetadata" },
      });
    });

    test("errors carry code, reason and metadata; field errors name their fields", async () => {
      expect(
        await failure(documents.getDocument({ selfLink: `${factoryPath}/none` })),
      ).toMatchObject({
        code: "NotFound",
        reason: "DOCUMENT_NOT_FOUND",
        metadata: { link: `${factoryPath}/none` },
      });
      expect(await failure(documents.getDocument({ selfLink: "x".repeat(1025) }))).toMatchObject({
        code: "InvalidArgument",
        reason: "REQUEST_INVALID",
        fields: ["self_link"],
      });
      expect(
        await failure(
          documents.createDocument({ factoryLink: "", body: { case: "json", value: bytes("{}") } }),
        ),
      ).toMatchObject({ code: "InvalidArgument", fields: ["factory_link"] });
      const name = id();
      await make(name);
      expect(await failure(make(name))).toMatchObject({
        code: "AlreadyExists",
        reason: "DOCUMENT_EXISTS",
      });
      expect(
        await failure(
          documents.deleteDocument({ selfLink: `${factoryPath}/${name}`, expectedVersion: 7n }),
        ),
      ).toMatchObject({ code: "Aborted", reason: "VERSION_MISMATCH" });
    });

    if (protocol.can.large)
      test("transmits a document of 16 MiB and rejects one with one byte more", async () => {
        const frame = '{"text":""}';
        const text = "x".repeat(limits.documentBytes - frame.length);
        const large = (value: string) =>
          documents.createDocument({
            factoryLink: factoryPath,
            bodyFormat: BodyFormat.NONE,
            body: { case: "json", value: bytes(value) },
          });
        const { selfLink } = await large(`{"text":"${text}"}`);
        const { body } = await documents.getDocument({ selfLink });
        expect(body.case === "json" && Buffer.from(body.value).includes(text)).toBe(true);
        expect(await failure(large(`{"text":"${text}x"}`))).toMatchObject({
          code: expect.stringMatching(/InvalidArgument|ResourceExhausted/) as string,
        });
      });

    test("an unknown method is UNIMPLEMENTED or not found", async () => {
      const { code } = await failure(
        transport.unary(
          { ...DocumentService.method.getDocument, name: "Nothing" },
          undefined,
          undefined,
          undefined,
          { selfLink: "/x" },
        ),
      );
      expect(["Unimplemented", "NotFound"]).toContain(code);
    });
  });

  test("requires tokens and their roles", async () => {
    const documents = createClient(DocumentService, withTransport(hosts().guarded));
    const write = (token?: string) =>
      documents.createDocument(
        { factoryLink: factoryPath, body: { case: "json", value: bytes("{}") } },
        { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } },
      );
    expect(await failure(write())).toMatchObject({
      code: "Unauthenticated",
      reason: "TOKEN_MISSING",
    });
    expect(await failure(write("nobody"))).toMatchObject({
      code: "Unauthenticated",
      reason: "TOKEN_UNKNOWN",
    });
    expect(await failure(write("reader"))).toMatchObject({
      code: "PermissionDenied",
      reason: "ROLE_MISSING",
      metadata: { role: "write" },
    });
    expect((await write("writer")).version).toBe(0n);
  });

  describe("shapes of calls", () => {
    let shapes: Awaited<ReturnType<typeof serveShapes>>;
    let management: Client<typeof ManagementService>;
    let documents: Client<typeof DocumentService>;
    beforeEach(async () => {
      shapes = await serveShapes();
      const transport = withTransport(shapes.served);
      management = createClient(ManagementService, transport);
      documents = createClient(DocumentService, transport);
    });
    afterEach(() => shapes.close());
    const watch = (name: string, options = {}) =>
      management.watchOperation({ name: `operations/${name}` }, options);

    test("transmits 64-bit integers exactly", async () => {
      const document = await documents.getDocumentVersion({
        selfLink: "a",
        version: 9_007_199_254_740_991n,
      });
      expect(document).toMatchObject({
        version: 9_007_199_254_740_991n,
        updateTimeMicros: beyondDoubles,
        expirationTimeMicros: -beyondDoubles,
      });
      const [first] = await all(management.streamBackup({}));
      expect(first?.message.case === "header" && first.message.value.offset).toBe(beyondDoubles);
    });

    test("streams several responses, none, and reports an unimplemented method", async () => {
      expect((await all(watch("three"))).map(({ name }) => name)).toEqual([
        "operations/0",
        "operations/1",
        "operations/2",
      ]);
      expect(await all(watch("empty"))).toEqual([]);
      if (protocol.can.uploads)
        expect(await failure(all(documents.exportDocuments({ factoryLink: "/x" })))).toMatchObject({
          code: "Unimplemented",
        });
    });

    test("reports an error before the first response and within a stream, without internal details", async () => {
      expect(await failure(all(watch("refused")))).toMatchObject({
        code: "NotFound",
        reason: "OPERATION_NOT_FOUND",
        metadata: { name: "operations/refused" },
      });
      const got: string[] = [];
      const reading = (async () => {
        for await (const { name } of watch("broken")) got.push(name);
      })();
      expect(await failure(reading)).toMatchObject({
        code: "DataLoss",
        reason: "BACKUP_DAMAGED",
        metadata: { at: "2" },
      });
      expect(got).toEqual(["operations/0", "operations/1"]);
      const secret = await failure(all(watch("secret")));
      expect(secret.code).toBe("Internal");
      expect(secret.message).not.toContain("hunter2");
    });

    test("transmits headers in both directions", async () => {
      let served: string | null = null;
      let trailer: string | null = null;
      await all(
        watch("three", {
          headers: { "x-who": "ada" },
          onHeader: (headers: Headers) => (served = headers.get("x-served")),
          onTrailer: (trailers: Headers) => (trailer = trailers.get("x-trailer")),
        }),
      );
      expect(served).toBe("ada");
      expect(trailer).toBe(protocol.can.trailers ? "there" : null);
    });

    test("a deadline ends a call on both sides", async () => {
      if (!protocol.can.deadlines) return;
      expect(
        await failure(management.deleteTransfer({ name: "transfers/a" }, { timeoutMs: 100 })),
      ).toMatchObject({ code: "DeadlineExceeded" });
      expect(await failure(all(watch("endless", { timeoutMs: 100 })))).toMatchObject({
        code: "DeadlineExceeded",
      });
      await eventually(() => shapes.seen.ended === 2);
      expect(shapes.seen.internal).toEqual([]);
    });

    test("a disconnecting client ends its call, and the handler releases its resources", async () => {
      const leave = new AbortController();
      const waiting = failure(
        management.deleteTransfer({ name: "transfers/a" }, { signal: leave.signal }),
      );
      // Time for the call to reach the method.
      await sleep(50);
      leave.abort();
      expect((await waiting).code).toBe("Canceled");
      const leaveStream = new AbortController();
      const reading = failure(
        (async () => {
          for await (const _ of watch("endless", { signal: leaveStream.signal }))
            leaveStream.abort();
        })(),
      );
      expect((await reading).code).toBe("Canceled");
      await eventually(() => shapes.seen.ended === 2 && shapes.seen.aborted === 1);
      expect(shapes.seen.internal).toEqual([]);
    });

    test("a slow reader slows the method down", async () => {
      if (!protocol.can.wire) return;
      const leave = new AbortController();
      for await (const _ of management.streamBackup(
        { chunkBytes: 65_536 },
        { signal: leave.signal },
      )) {
        // The buffers of both sockets and of the client hold a part.
        expect(await settled(() => shapes.seen.produced)).toBeLessThan(1000);
        break;
      }
      leave.abort();
      await eventually(() => shapes.seen.ended === 1);
    });

    test("streams several requests, none, requests that the method rejects, and requests that it reads slowly", async () => {
      if (!protocol.can.uploads) {
        expect((await failure(management.streamRestore(requests(0)))).code).toMatch(
          /Unimplemented|NotFound/,
        );
        return;
      }
      expect((await management.streamRestore(requests(5))).result).toMatchObject({
        documents: 6n,
        versions: 5000n,
      });
      shapes.seen.consumed = 0;
      async function* none() {}
      expect((await management.streamRestore(none())).result).toMatchObject({ documents: 0n });
      async function* bad() {
        yield { message: { case: "trailer" as const, value: { sha256: "0".repeat(64) } } };
        for await (const one of requests(100_000)) yield one;
      }
      expect(await failure(management.streamRestore(bad()))).toMatchObject({
        code: "DataLoss",
        reason: "BACKUP_DAMAGED",
      });
      async function* invalid() {
        yield { message: { case: "trailer" as const, value: { sha256: "zz" } } };
      }
      expect(await failure(management.streamRestore(invalid()))).toMatchObject({
        code: "InvalidArgument",
        fields: ["trailer.sha256"],
      });
    });

    test("reads an upload no faster than the method does", async () => {
      if (!protocol.can.uploads || !protocol.can.wire) return;
      const sent = { count: 0 };
      const uploading = management.streamRestore(requests(800, 65_536, sent, "slow"));
      // Time in which an upload without flow control would end.
      await sleep(500);
      expect(sent.count).toBeLessThan(400);
      expect((await uploading).result).toMatchObject({ documents: 801n });
    });

    test("bidirectional streams: responses continue after the last request", async () => {
      if (!protocol.can.uploads) return;
      async function* three() {
        for (let i = 0; i < 3; i++)
          yield { message: { case: "document" as const, value: bytes("{}") } };
      }
      const answers = await all(documents.importDocuments(three()));
      expect(answers.map(({ documents: count, done }) => [count, done])).toEqual([
        [1n, false],
        [2n, false],
        [3n, false],
        [3n, true],
      ]);
      async function* none() {}
      expect(await all(documents.importDocuments(none()))).toMatchObject([
        { documents: 0n, done: true },
      ]);
    });
  });
}

async function* requests(chunks: number, size = 1000, sent = { count: 0 }, indexLink = "") {
  yield { message: { case: "header" as const, value: { indexLink } } };
  const data = new Uint8Array(size);
  for (; sent.count < chunks; sent.count++)
    yield { message: { case: "chunk" as const, value: { offset: 0n, data } } };
}

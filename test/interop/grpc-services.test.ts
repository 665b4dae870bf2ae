import * as grpc from "@grpc/grpc-js";
import {
  BodyFormat,
  DocumentServiceClient,
  type DeleteDocumentResponse,
  type Document,
} from "../../clients/typescript/src/gen/holdfast/document/v1/document.js";
import {
  BackupRequest,
  BackupResult,
  ManagementServiceClient,
  OperationMetadata,
  VerifyLevel,
} from "../../clients/typescript/src/gen/holdfast/management/v1/management.js";
import {
  OperationsClient,
  type ListOperationsResponse,
  type Operation,
} from "../../clients/typescript/src/gen/google/longrunning/operations.js";
import { startServers, type Servers } from "./support/servers.js";

/** The generated TypeScript client against the services over gRPC. */
let servers: Servers;
let documents: DocumentServiceClient;
let management: ManagementServiceClient;
let operations: OperationsClient;
beforeEach(async () => {
  servers = await startServers();
  const credentials = grpc.credentials.createInsecure();
  documents = new DocumentServiceClient(servers.grpcAddress, credentials);
  management = new ManagementServiceClient(servers.grpcAddress, credentials);
  operations = new OperationsClient(servers.grpcAddress, credentials);
});
afterEach(async () => {
  for (const client of [documents, management, operations]) client.close();
  await servers.close();
});

type Done<Answer> = (error: grpc.ServiceError | null, answer: Answer) => void;
function ask<Answer>(start: (done: Done<Answer>) => unknown): Promise<Answer> {
  return new Promise((resolve, reject) =>
    start((error, answer) => (error ? reject(error) : resolve(answer))),
  );
}
const json = (text: string) => ({ $case: "json" as const, value: Buffer.from(text) });
const create = {
  factoryLink: "/core/examples",
  documentId: "one",
  body: json('{"name":"first","big":9007199254740993}'),
  revive: false,
  bodyFormat: BodyFormat.BODY_FORMAT_UNSPECIFIED,
};

test("transmits 64-bit integers exactly", async () => {
  const made = await ask<Document>((done) => documents.createDocument(create, done));
  expect(made).toMatchObject({ selfLink: "/core/examples/one", version: 0n });
  const read = await ask<Document>((done) =>
    documents.getDocument(
      { selfLink: "/core/examples/one", bodyFormat: BodyFormat.BODY_FORMAT_UNSPECIFIED },
      done,
    ),
  );
  expect(read.body?.$case === "json" && read.body.value.toString()).toContain(
    '"big":9007199254740993',
  );
});

test("rejects a system field given twice", async () => {
  const request = { ...create, body: json('{"documentSelfLink":"two"}') };
  await expect(
    ask<Document>((done) => documents.createDocument(request, done)),
  ).rejects.toMatchObject({ code: grpc.status.INVALID_ARGUMENT });
});

test("enforces the validation rules of the protos", async () => {
  const refused = ask<Document>((done) =>
    documents.getDocument(
      { selfLink: "x".repeat(1025), bodyFormat: BodyFormat.BODY_FORMAT_UNSPECIFIED },
      done,
    ),
  );
  await expect(refused).rejects.toMatchObject({
    code: grpc.status.INVALID_ARGUMENT,
    details: expect.stringContaining("self_link") as unknown,
  });
  await expect(
    ask<Document>((done) => documents.createDocument({ ...create, body: undefined }, done)),
  ).rejects.toMatchObject({ code: grpc.status.INVALID_ARGUMENT });
});

test("rejects a mismatched expected version with ABORTED", async () => {
  await ask<Document>((done) => documents.createDocument(create, done));
  const refused = ask<DeleteDocumentResponse>((done) =>
    documents.deleteDocument(
      {
        selfLink: "/core/examples/one",
        expectedVersion: 7n,
        bodyFormat: BodyFormat.BODY_FORMAT_UNSPECIFIED,
      },
      done,
    ),
  );
  await expect(refused).rejects.toMatchObject({ code: grpc.status.ABORTED });
});

test("unpacks the metadata and the result of an operation", async () => {
  const operation = await ask<Operation>((done) =>
    management.backup(
      BackupRequest.fromPartial({ destination: "file:/backups/a.ZIP", validateOnly: true }),
      done,
    ),
  );
  expect(servers.host.asked.backup).toMatchObject([{ container: "ZIP", validateOnly: true }]);
  expect(OperationMetadata.decode(operation.metadata?.value ?? Buffer.alloc(0))).toMatchObject({
    stage: "exporting",
    bytesDone: 50n,
  });
  expect(operation.result?.$case).toBe("response");
  if (operation.result?.$case !== "response") return;
  expect(operation.result.value.typeUrl).toBe(
    "type.googleapis.com/holdfast.management.v1.BackupResult",
  );
  expect(BackupResult.decode(operation.result.value.value)).toMatchObject({
    verified: true,
    backup: { number: 1n, createTimeMicros: 9007199254740991n },
  });
  const listed = await ask<ListOperationsResponse>((done) =>
    operations.listOperations(
      { name: "operations", filter: "", pageSize: 10, pageToken: "", returnPartialSuccess: false },
      done,
    ),
  );
  expect(listed.operations).toHaveLength(1);
});

test("a wait ends when its client disconnects", async () => {
  const { name } = await ask<Operation>((done) =>
    management.verifyBackup(
      {
        uri: "file:/backups",
        backupName: "",
        level: VerifyLevel.VERIFY_LEVEL_UNSPECIFIED,
        samplePercent: 0,
        compare: false,
      },
      done,
    ),
  );
  const waited = new Promise<grpc.ServiceError | null>((resolve) => {
    const call = operations.waitOperation({ name, timeout: undefined }, (error) => resolve(error));
    // Time for the call to reach the host.
    setTimeout(() => call.cancel(), 50);
  });
  expect((await waited)?.code).toBe(grpc.status.CANCELLED);
});

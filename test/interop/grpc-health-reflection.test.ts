import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import {
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Status,
  HealthListRequestSchema,
  HealthListResponseSchema,
} from "../../gen/ts/grpc/health/v1/health_pb.js";
import {
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
  type ServerReflectionResponse,
} from "../../gen/ts/grpc/reflection/v1/reflection_pb.js";
import { startServers, type Servers } from "./support/servers.js";

let servers: Servers;
let client: grpc.Client;
beforeEach(async () => {
  servers = await startServers();
  client = new grpc.Client(servers.grpcAddress, grpc.credentials.createInsecure());
});
afterEach(async () => {
  client.close();
  await servers.close();
});

const encoder =
  <Desc extends DescMessage>(schema: Desc) =>
  (init: MessageInitShape<Desc>) =>
    Buffer.from(toBinary(schema, create(schema, init)));
const decoder =
  <Desc extends DescMessage>(schema: Desc) =>
  (bytes: Buffer): MessageShape<Desc> =>
    fromBinary(schema, bytes);

function check(service: string): Promise<Status | undefined> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      "/grpc.health.v1.Health/Check",
      encoder(HealthCheckRequestSchema),
      decoder(HealthCheckResponseSchema),
      { service },
      (error, answer) => (error ? reject(error) : resolve(answer?.status)),
    );
  });
}

test("the health service reports the server, its services and changed states", async () => {
  expect(await check("")).toBe(Status.SERVING);
  expect(await check("holdfast.document.v1.DocumentService")).toBe(Status.SERVING);
  expect(await check("backup")).toBe(Status.SERVING);
  servers.health.set("backup", false);
  expect(await check("backup")).toBe(Status.NOT_SERVING);
  await expect(check("nothing")).rejects.toMatchObject({ code: grpc.status.NOT_FOUND });
  const all = await new Promise<Record<string, { status: Status }> | undefined>(
    (resolve, reject) => {
      client.makeUnaryRequest(
        "/grpc.health.v1.Health/List",
        encoder(HealthListRequestSchema),
        decoder(HealthListResponseSchema),
        {},
        (error, answer) => (error ? reject(error) : resolve(answer?.statuses)),
      );
    },
  );
  expect(all).toMatchObject({
    "": { status: Status.SERVING },
    backup: { status: Status.NOT_SERVING },
  });
});

test("a watcher receives each change and the stop of the server", async () => {
  const seen: Status[] = [];
  const watch = client.makeServerStreamRequest(
    "/grpc.health.v1.Health/Watch",
    encoder(HealthCheckRequestSchema),
    decoder(HealthCheckResponseSchema),
    { service: "backup" },
  );
  const ended = new Promise((resolve) => watch.on("end", resolve));
  const next = () => new Promise((resolve) => watch.once("data", resolve));
  watch.on("data", ({ status }: { status: Status }) => seen.push(status));
  await next();
  for (const serving of [false, true]) {
    const changed = next();
    servers.health.set("backup", serving);
    await changed;
  }
  await servers.grpc.close(5000);
  await ended;
  expect(seen).toEqual([Status.SERVING, Status.NOT_SERVING, Status.SERVING, Status.NOT_SERVING]);
});

async function reflect(
  version: string,
  ...requests: MessageInitShape<typeof ServerReflectionRequestSchema>[]
): Promise<ServerReflectionResponse[]> {
  const call = client.makeBidiStreamRequest(
    `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    encoder(ServerReflectionRequestSchema),
    decoder(ServerReflectionResponseSchema),
  );
  for (const request of requests) call.write(request);
  call.end();
  const answers: ServerReflectionResponse[] = [];
  for await (const answer of call) answers.push(answer as ServerReflectionResponse);
  return answers;
}
function files(answer: ServerReflectionResponse | undefined) {
  const response = answer?.messageResponse;
  return response?.case === "fileDescriptorResponse"
    ? response.value.fileDescriptorProto.map((bytes) =>
        fromBinary(FileDescriptorProtoSchema, bytes),
      )
    : undefined;
}

test.each(["v1", "v1alpha"])("reflection %s lists the services", async (version) => {
  const [answer] = await reflect(version, { messageRequest: { case: "listServices", value: "" } });
  const response = answer?.messageResponse;
  expect(
    response?.case === "listServicesResponse" && response.value.service.map(({ name }) => name),
  ).toEqual([
    "google.bytestream.ByteStream",
    "google.longrunning.Operations",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "holdfast.document.v1.DocumentService",
    "holdfast.management.v1.ManagementService",
    "holdfast.management.v1.PolicyService",
  ]);
});

test.each([
  ["holdfast.document.v1.DocumentService", "holdfast/document/v1/document.proto"],
  ["holdfast.document.v1.DocumentService.GetDocument", "holdfast/document/v1/document.proto"],
  ["holdfast.management.v1.PolicyService.RunPolicy", "holdfast/management/v1/policy.proto"],
  ["holdfast.document.v1.Document.self_link", "holdfast/document/v1/document.proto"],
  ["holdfast.document.v1.Document.body", "holdfast/document/v1/document.proto"],
  ["holdfast.document.v1.BODY_FORMAT_JSON", "holdfast/document/v1/document.proto"],
  ["google.rpc.ErrorInfo", "google/rpc/error_details.proto"],
  ["google.api.http", "google/api/annotations.proto"],
  ["google.protobuf.Struct", "google/protobuf/struct.proto"],
])("finds %s in %s with all imports", async (symbol, name) => {
  const [answer] = await reflect("v1", {
    messageRequest: { case: "fileContainingSymbol", value: symbol },
  });
  const found = files(answer) ?? [];
  expect(found.at(-1)?.name).toBe(name);
  const names = new Set(found.map((file) => file.name));
  for (const file of found)
    for (const dependency of file.dependency) expect(names).toContain(dependency);
});

test("sends each file once per stream, finds extensions, and reports unknown symbols", async () => {
  const answers = await reflect(
    "v1",
    { messageRequest: { case: "fileByFilename", value: "holdfast/document/v1/document.proto" } },
    {
      messageRequest: { case: "fileByFilename", value: "holdfast/management/v1/management.proto" },
    },
    {
      messageRequest: {
        case: "fileContainingExtension",
        value: { containingType: "google.protobuf.MethodOptions", extensionNumber: 72295728 },
      },
    },
    {
      messageRequest: { case: "allExtensionNumbersOfType", value: "google.protobuf.MethodOptions" },
    },
    { messageRequest: { case: "fileContainingSymbol", value: "no.such.Thing" } },
    {},
  );
  const second = files(answers[1])?.map(({ name }) => name);
  expect(second).toContain("holdfast/management/v1/management.proto");
  expect(second).not.toContain("buf/validate/validate.proto");
  expect(files(answers[2])?.at(-1)?.name).toBe("google/api/annotations.proto");
  expect(answers[3]?.messageResponse.value).toMatchObject({
    extensionNumber: expect.arrayContaining([72295728, 1049]) as unknown,
  });
  expect(answers[4]?.messageResponse.value).toMatchObject({ errorCode: grpc.status.NOT_FOUND });
  expect(answers[5]?.messageResponse.value).toMatchObject({
    errorCode: grpc.status.INVALID_ARGUMENT,
  });
});

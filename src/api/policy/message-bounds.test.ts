import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import {
  type CreateDocumentRequest,
  CreateDocumentRequestSchema,
  GetDocumentRequestSchema,
} from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { limits } from "../../limits.js";
import { decode } from "../call/decode.js";

const fields = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]));
const binary = (init: Parameters<typeof create<typeof CreateDocumentRequestSchema>>[1]) =>
  toBinary(CreateDocumentRequestSchema, create(CreateDocumentRequestSchema, init));
const bytesOf = ({ body }: CreateDocumentRequest) =>
  body.case === "json" ? body.value : new Uint8Array();
const withoutBytes = (message: CreateDocumentRequest) =>
  message.body.case === "json" ? { ...message, body: "json" } : message;

test("accepts requests within the limits", () => {
  for (const init of [
    { factoryLink: "/core/examples", documentId: "é", revive: true, expirationTimeMicros: 5n },
    { body: { case: "json" as const, value: new Uint8Array(limits.documentBytes) } },
    {
      body: {
        case: "fields" as const,
        value: { ...fields(100), a: [1, { b: null, c: [true, "x"] }] },
      },
    },
  ]) {
    const decoded = decode(CreateDocumentRequestSchema, binary(init)) as CreateDocumentRequest;
    const sent = create(CreateDocumentRequestSchema, init);
    // Compares the bytes separately: toEqual would take a minute for 16 million numbers.
    expect(Buffer.compare(bytesOf(decoded), bytesOf(sent))).toBe(0);
    expect(withoutBytes(decoded)).toEqual(withoutBytes(sent));
  }
});

test.each([
  [
    "too many members of a Struct",
    binary({ body: { case: "fields", value: fields(limits.requestMembers / 4) } }),
    "BODY_TOO_LARGE",
  ],
  [
    "a Struct that is too large",
    binary({ body: { case: "fields", value: { a: "x".repeat(limits.structBytes) } } }),
    "BODY_TOO_LARGE",
  ],
  [
    "a text that is too long",
    binary({ factoryLink: "x".repeat(limits.requestTextBytes + 1) }),
    "BODY_TOO_LARGE",
  ],
  [
    "a field that comes too often",
    Buffer.alloc(2 * limits.requestMembers + 2, Buffer.from([0x28, 1])),
    "BODY_TOO_LARGE",
  ],
  ["a varint that does not end", Buffer.from([0x0a, 0xff]), "REQUEST_INVALID"],
  ["a length beyond the end", Buffer.from([0x0a, 5, 1]), "REQUEST_INVALID"],
  ["a group", new BinaryWriter().tag(20, 3).tag(20, 4).finish(), "REQUEST_INVALID"],
])("rejects %s", (_, bytes, reason) => {
  expect(() => decode(CreateDocumentRequestSchema, bytes)).toThrow(
    expect.objectContaining({ reason }),
  );
});

test("rejects a message that is nested too deeply", () => {
  let bytes: Uint8Array = new Uint8Array();
  // Nested lists of Values.
  for (let i = 0; i < limits.jsonDepth; i++)
    bytes = new BinaryWriter()
      .tag(6, 2)
      .bytes(new BinaryWriter().tag(1, 2).bytes(bytes).finish())
      .finish();
  const entry = new BinaryWriter().tag(1, 2).string("k").tag(2, 2).bytes(bytes).finish();
  const field =
    CreateDocumentRequestSchema.fields.find(({ name }) => name === "fields")?.number ?? 0;
  const request = new BinaryWriter()
    .tag(field, 2)
    .bytes(new BinaryWriter().tag(1, 2).bytes(entry).finish())
    .finish();
  expect(() => decode(CreateDocumentRequestSchema, request)).toThrow(
    expect.objectContaining({ reason: "REQUEST_INVALID" }),
  );
  expect(() => decode(GetDocumentRequestSchema, Buffer.from([0x12]))).toThrow(
    expect.objectContaining({ reason: "REQUEST_INVALID" }),
  );
});

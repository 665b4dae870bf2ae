import { create, createRegistry, toJson, type JsonObject } from "@bufbuild/protobuf";
import {
  DocumentSchema,
  ListDocumentsResponseSchema,
} from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { bytesDetacher, jsonWriter } from "./to-json.js";

const registry = createRegistry();
const bytes = (text: string) => new TextEncoder().encode(text);

test("produces the same JSON as protobuf-es, with and without document bodies", () => {
  const make = () =>
    create(ListDocumentsResponseSchema, {
      documents: [
        { selfLink: "/a", body: { case: "json", value: bytes("ä>?~") } },
        { selfLink: "/b" },
        { selfLink: "/c", body: { case: "fields", value: { x: 1 } } },
        { selfLink: "/d", body: { case: "json", value: bytes("") } },
        { selfLink: "/e", version: 9007199254740993n, body: { case: "json", value: bytes("{}") } },
      ],
    });
  const expected = toJson(ListDocumentsResponseSchema, make(), {
    registry,
    alwaysEmitImplicit: true,
  });
  expect(jsonWriter(ListDocumentsResponseSchema, registry)(make())).toEqual(expected);
});

test("detaches 16 MiB of bytes before protobuf-es encodes a message, and restores them in the JSON", () => {
  const value = new Uint8Array(16 * 1024 * 1024).fill(7);
  const document = create(DocumentSchema, { body: { case: "json", value } });
  const put = bytesDetacher(DocumentSchema)(document);
  expect(document.body.value).toHaveLength(1);
  const json = toJson(DocumentSchema, document, { registry });
  put?.(json);
  expect((json as JsonObject)["json"] === Buffer.from(value).toString("base64")).toBe(true);
});

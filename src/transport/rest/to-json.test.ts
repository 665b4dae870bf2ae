import { create, createRegistry, toJson } from "@bufbuild/protobuf";
import { DocumentSchema, ListDocumentsResponseSchema } from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { jsonWriter } from "./to-json.js";

const registry = createRegistry();
const bytes = (text: string) => new TextEncoder().encode(text);

test("says what protobuf-es says, whichever documents have a body", () => {
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
  const expected = toJson(ListDocumentsResponseSchema, make(), { registry, alwaysEmitImplicit: true });
  expect(jsonWriter(ListDocumentsResponseSchema, registry)(make())).toEqual(expected);
});

test("16 MiB do not hold the event loop up for long", () => {
  const document = create(DocumentSchema, { body: { case: "json", value: new Uint8Array(16 * 1024 * 1024) } });
  const begun = performance.now();
  const json = jsonWriter(DocumentSchema, registry)(document);
  expect(performance.now() - begun).toBeLessThan(500);
  expect(json).toMatchObject({ json: expect.stringMatching(/^A+==$/) as unknown });
});

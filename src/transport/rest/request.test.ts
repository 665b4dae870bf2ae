import { createRegistry } from "@bufbuild/protobuf";
import { BackupRequestSchema, Container } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { GetDocumentRequestSchema, PatchDocumentRequestSchema } from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { toRequest } from "./request.js";

const registry = createRegistry();
const parts = { rule: { body: "*" }, variables: [], query: [], body: "" };

test("the body is the message, and the path has the last word", () => {
  const body = JSON.stringify({ selfLink: "/other", json: Buffer.from("{}").toString("base64"), expectedVersion: "3" });
  const request = toRequest(PatchDocumentRequestSchema, { ...parts, variables: [["self_link", "core/examples/one"]], body }, registry);
  expect(request).toMatchObject({ selfLink: "core/examples/one", expectedVersion: 3n, body: { case: "json" } });
});

test("one field can be the body, the query gives the others", () => {
  const request = toRequest(PatchDocumentRequestSchema, { ...parts, rule: { body: "fields" }, query: [["self_link", "/a"]], body: '{"n":1}' }, registry);
  expect(request).toMatchObject({ selfLink: "/a", body: { case: "fields", value: { n: 1 } } });
});

test("no body is an empty message", () => {
  expect(toRequest(BackupRequestSchema, parts, registry)).toMatchObject({ destination: "", container: Container.UNSPECIFIED });
});

test.each([
  ["{", "JSON_INVALID"],
  ['{"destinatoin":"file:/x"}', "REQUEST_INVALID"],
  ['{"destination":1}', "REQUEST_INVALID"],
  ['{"container":"CONTAINER_BARREL"}', "REQUEST_INVALID"],
  ['{"destination":"a","destination":"b"}', "REQUEST_INVALID"],
  ["[]", "REQUEST_INVALID"],
  ["null", "REQUEST_INVALID"],
])("refuses %s as %s", (body, reason) => {
  expect(() => toRequest(BackupRequestSchema, { ...parts, body }, registry)).toThrow(expect.objectContaining({ reason }));
});

test("fields come one way only", () => {
  expect(() => toRequest(GetDocumentRequestSchema, { ...parts, rule: { body: "" }, body: "{}" }, registry)).toThrow("takes no body");
  expect(() => toRequest(BackupRequestSchema, { ...parts, query: [["full", "true"]] }, registry)).toThrow("takes no query");
});

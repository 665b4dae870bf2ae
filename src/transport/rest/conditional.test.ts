import {
  DeleteDocumentRequestSchema,
  GetDocumentRequestSchema,
} from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { etagOf, ifMatchParameters } from "./conditional.js";

test("converts If-Match to the expected version", () => {
  expect(ifMatchParameters(DeleteDocumentRequestSchema, '"3"')).toEqual([
    ["expected_version", "3"],
  ]);
  expect(ifMatchParameters(DeleteDocumentRequestSchema, "*")).toEqual([]);
  expect(ifMatchParameters(DeleteDocumentRequestSchema, undefined)).toEqual([]);
  expect(ifMatchParameters(GetDocumentRequestSchema, '"3"')).toEqual([]);
});

test.each(["3", 'W/"3"', '"3", "4"', '"abc"', ""])("rejects the ETag %s", (tag) => {
  expect(() => ifMatchParameters(DeleteDocumentRequestSchema, tag)).toThrow(
    expect.objectContaining({ reason: "REQUEST_INVALID" }),
  );
});

test("finds the ETag of a response", () => {
  expect(etagOf({ etag: '"3"' })).toBe('"3"');
  expect(etagOf({ etag: "" })).toBeUndefined();
  expect(etagOf([])).toBeUndefined();
  expect(etagOf(null)).toBeUndefined();
});

import { fromJson } from "@bufbuild/protobuf";
import { HttpRuleSchema } from "../../../gen/ts/google/api/http_pb.js";
import { WaitOperationRequestSchema } from "../../../gen/ts/google/longrunning/operations_pb.js";
import {
  BodyFormat,
  GetDocumentVersionRequestSchema,
  ListDocumentsRequestSchema,
} from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import {
  BackupRequestSchema,
  HostSchema,
  PruneBackupsRequestSchema,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { parametersToJson } from "./fields.js";

const query = (text: string) => [...new URLSearchParams(text)] as [string, string][];

test("accepts proto and JSON names, numbers, and enums by name and number", () => {
  const read = (text: string) =>
    fromJson(ListDocumentsRequestSchema, parametersToJson(ListDocumentsRequestSchema, query(text)));
  expect(
    read("factory_link=/core/examples&pageSize=5&body_format=BODY_FORMAT_FIELDS"),
  ).toMatchObject({
    factoryLink: "/core/examples",
    pageSize: 5,
    bodyFormat: BodyFormat.FIELDS,
  });
  expect(read("bodyFormat=3").bodyFormat).toBe(BodyFormat.NONE);
});

test("keeps 64-bit integers exact", () => {
  const json = parametersToJson(GetDocumentVersionRequestSchema, query("version=9007199254740993"));
  expect(fromJson(GetDocumentVersionRequestSchema, json).version).toBe(9007199254740993n);
});

test("collects all values of a repeated field", () => {
  expect(parametersToJson(PruneBackupsRequestSchema, query("names=a&uri=u&names=b"))).toEqual({
    names: ["a", "b"],
    uri: "u",
  });
});

test("sets nested fields with dots, and messages with a string form as text", () => {
  expect(parametersToJson(HttpRuleSchema, query("custom.kind=X&custom.path=/y&get=/z"))).toEqual({
    custom: { kind: "X", path: "/y" },
    get: "/z",
  });
  expect(parametersToJson(WaitOperationRequestSchema, query("timeout=1.5s"))).toEqual({
    timeout: "1.5s",
  });
});

test("accepts only true and false as booleans", () => {
  expect(parametersToJson(BackupRequestSchema, query("full=true&store=false"))).toEqual({
    full: true,
    store: false,
  });
  expect(() => parametersToJson(BackupRequestSchema, query("full=1"))).toThrow("true or false");
});

test.each([
  [BackupRequestSchema, "destinatoin=x", "Unknown parameter destinatoin"],
  [BackupRequestSchema, "destination.x=1", "Unknown parameter destination.x"],
  [BackupRequestSchema, "destination=a&destination=b", "Duplicate parameter"],
  [HostSchema, "indexes=x", "cannot be set by a parameter"],
  [BackupRequestSchema, "__proto__=x", "Unknown parameter __proto__"],
])("rejects %# %s", (schema, text, message) => {
  expect(() => parametersToJson(schema, query(text))).toThrow(
    expect.objectContaining({
      reason: "REQUEST_INVALID",
      message: expect.stringContaining(message),
    }),
  );
});

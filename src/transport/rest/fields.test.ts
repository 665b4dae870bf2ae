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

test("takes proto and JSON names, numbers, enums by name and by number", () => {
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

test("64-bit integers stay exact", () => {
  const json = parametersToJson(GetDocumentVersionRequestSchema, query("version=9007199254740993"));
  expect(fromJson(GetDocumentVersionRequestSchema, json).version).toBe(9007199254740993n);
});

test("a repeated field takes every value", () => {
  expect(parametersToJson(PruneBackupsRequestSchema, query("names=a&uri=u&names=b"))).toEqual({
    names: ["a", "b"],
    uri: "u",
  });
});

test("dots reach into messages, and messages with a text form are given as text", () => {
  expect(parametersToJson(HttpRuleSchema, query("custom.kind=X&custom.path=/y&get=/z"))).toEqual({
    custom: { kind: "X", path: "/y" },
    get: "/z",
  });
  expect(parametersToJson(WaitOperationRequestSchema, query("timeout=1.5s"))).toEqual({
    timeout: "1.5s",
  });
});

test("booleans are true and false", () => {
  expect(parametersToJson(BackupRequestSchema, query("full=true&store=false"))).toEqual({
    full: true,
    store: false,
  });
  expect(() => parametersToJson(BackupRequestSchema, query("full=1"))).toThrow("true or false");
});

test.each([
  [BackupRequestSchema, "destinatoin=x", "no parameter destinatoin"],
  [BackupRequestSchema, "destination.x=1", "no parameter destination.x"],
  [BackupRequestSchema, "destination=a&destination=b", "given twice"],
  [HostSchema, "indexes=x", "cannot be given"],
  [BackupRequestSchema, "__proto__=x", "no parameter __proto__"],
])("refuses %# %s", (schema, text, message) => {
  expect(() => parametersToJson(schema, query(text))).toThrow(
    expect.objectContaining({
      reason: "REQUEST_INVALID",
      message: expect.stringContaining(message),
    }),
  );
});

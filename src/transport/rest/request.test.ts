import { createRegistry } from "@bufbuild/protobuf";
import {
  BackupRequestSchema,
  Container,
} from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import {
  GetDocumentRequestSchema,
  PatchDocumentRequestSchema,
  type PatchDocumentRequest,
} from "../../../gen/ts/holdfast/document/v1/document_pb.js";
import { limits } from "../../limits.js";
import { toRequest } from "./request.js";

const registry = createRegistry();
const parts = { rule: { body: "*" }, variables: [], query: [], body: "" };

test("uses the body as the message, overridden by the path", async () => {
  const body = JSON.stringify({
    selfLink: "/other",
    json: Buffer.from("{}").toString("base64"),
    expectedVersion: "3",
  });
  const request = await toRequest(
    PatchDocumentRequestSchema,
    { ...parts, variables: [["self_link", "core/examples/one"]], body },
    registry,
  );
  expect(request).toMatchObject({
    selfLink: "core/examples/one",
    expectedVersion: 3n,
    body: { case: "json" },
  });
});

test("maps the body to one field and the query to others", async () => {
  const request = await toRequest(
    PatchDocumentRequestSchema,
    { ...parts, rule: { body: "fields" }, query: [["self_link", "/a"]], body: '{"n":1}' },
    registry,
  );
  expect(request).toMatchObject({ selfLink: "/a", body: { case: "fields", value: { n: 1 } } });
});

test("treats a missing body as an empty message", async () => {
  expect(await toRequest(BackupRequestSchema, parts, registry)).toMatchObject({
    destination: "",
    container: Container.UNSPECIFIED,
  });
});

test.each([
  ["{", "JSON_INVALID"],
  ['{"destinatoin":"file:/x"}', "REQUEST_INVALID"],
  ['{"destination":1}', "REQUEST_INVALID"],
  ['{"container":"CONTAINER_BARREL"}', "REQUEST_INVALID"],
  ['{"destination":"a","destination":"b"}', "REQUEST_INVALID"],
  ["[]", "REQUEST_INVALID"],
  ["null", "REQUEST_INVALID"],
])("rejects %s with %s", async (body, reason) => {
  await expect(toRequest(BackupRequestSchema, { ...parts, body }, registry)).rejects.toThrow(
    expect.objectContaining({ reason }),
  );
});

test("rejects a body or a query that the rule does not allow", async () => {
  await expect(
    toRequest(GetDocumentRequestSchema, { ...parts, rule: { body: "" }, body: "{}" }, registry),
  ).rejects.toThrow("does not accept a body");
  await expect(
    toRequest(BackupRequestSchema, { ...parts, query: [["full", "true"]] }, registry),
  ).rejects.toThrow("does not accept query parameters");
});

test("parses long bytes like short ones, and a body mapped to a field cannot set others", async () => {
  const json = Buffer.alloc(limits.detachedStringChars, "é");
  for (const expectedVersion of ["3", undefined]) {
    const body = JSON.stringify({ expectedVersion, json: json.toString("base64") });
    const { body: read } = (await toRequest(
      PatchDocumentRequestSchema,
      { ...parts, body },
      registry,
    )) as PatchDocumentRequest;
    expect(read.case === "json" && json.equals(read.value)).toBe(true);
  }
  const escaped = `{"x":1}`.padEnd(limits.detachedStringChars, "?>");
  const slashed = JSON.stringify({ json: Buffer.from(escaped).toString("base64") }).replaceAll(
    "/",
    "\\/",
  );
  expect(slashed).toContain("\\/");
  const { body: unescaped } = (await toRequest(
    PatchDocumentRequestSchema,
    { ...parts, body: slashed },
    registry,
  )) as PatchDocumentRequest;
  expect(unescaped.case === "json" && Buffer.from(unescaped.value).toString()).toBe(escaped);
  await expect(
    toRequest(
      PatchDocumentRequestSchema,
      { ...parts, body: JSON.stringify({ json: "*".repeat(limits.detachedStringChars) }) },
      registry,
    ),
  ).rejects.toMatchObject({ reason: "REQUEST_INVALID" });
  // A member of the document with the name of a request field remains a member.
  const inFields = { json: json.toString("base64") };
  expect(
    await toRequest(
      PatchDocumentRequestSchema,
      { ...parts, rule: { body: "fields" }, body: JSON.stringify(inFields) },
      registry,
    ),
  ).toMatchObject({ body: { case: "fields", value: inFields } });
  await expect(
    toRequest(
      PatchDocumentRequestSchema,
      { ...parts, rule: { body: "fields" }, body: '{},"expectedVersion":"3"' },
      registry,
    ),
  ).rejects.toThrow(/not JSON/);
});

test.each([
  ["with too deep nesting", `{"fields":{"a":${"[".repeat(20_000)}`, "JSON_INVALID"],
  [
    "with too many members",
    `{"fields":{${Array.from({ length: limits.requestJsonMembers }, (_, i) => `"k${i}":1`).join(",")}}}`,
    "JSON_INVALID",
  ],
  [
    "with too long a text",
    JSON.stringify({ selfLink: "x".repeat(2 * limits.structBytes) }),
    "BODY_TOO_LARGE",
  ],
])("rejects a body %s before parsing it", async (_, body, reason) => {
  await expect(
    toRequest(PatchDocumentRequestSchema, { ...parts, body }, registry),
  ).rejects.toMatchObject({ reason });
});

import { hostServices } from "../../src/api/host-services.js";
import { operationRules } from "../../src/transport/rest/operation-rules.js";
import { rulesOf } from "../../src/transport/rest/rules.js";
import { problemsOf, type Schema } from "../support/check-schema.js";
import { factoryPath, hostFixture, type HostFixture } from "../support/host-fixture.js";
import { fakeHost } from "./support/fake-host.js";

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; required?: boolean; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content: Record<string, { schema: Schema }> }>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; securitySchemes?: object };
  security?: object[];
}

let fixture: HostFixture;
const base = () => `http://127.0.0.1:${fixture.host.httpAddress.port}`;
const load = async (headers: Record<string, string> = {}) => {
  const response = await fetch(`${base()}/v1/openapi.json`, { headers });
  return { status: response.status, document: (await response.json()) as Document };
};
const operations = (document: Document) =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  );
const resolver = (document: Document) => (ref: string) => {
  const found = document.components.schemas[ref.replace("#/components/schemas/", "")];
  if (!found) throw new Error(`${ref} does not resolve`);
  return found;
};

test("is consistent: references resolve, path parameters are declared, ids are unique", async () => {
  fixture = await hostFixture();
  const { document } = await load();
  expect(document.openapi).toBe("3.1.0");
  const resolve = resolver(document);
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(
    ([, ref = ""]) => ref,
  );
  expect(references.length).toBeGreaterThan(50);
  for (const ref of references) expect(resolve(ref)).not.toEqual({});
  const all = operations(document);
  expect(new Set(all.map(({ operation }) => operation.operationId)).size).toBe(all.length);
  for (const { path, operation } of all) {
    const inPath = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name);
    const declared = (operation.parameters ?? []).filter((one) => one.in === "path");
    expect({ path, names: declared.map(({ name }) => name) }).toEqual({ path, names: inPath });
    for (const one of declared) expect(one.required).toBe(true);
    expect(operation.responses["default"]?.content["application/json"]?.schema).toEqual({
      $ref: "#/components/schemas/google.rpc.Status",
    });
  }
});

test("lists exactly the routes of the router", async () => {
  fixture = await hostFixture();
  const { document } = await load();
  const known = operations(document).map(({ path, method }) => ({
    method,
    pattern: new RegExp(
      `^${path.replaceAll(/[.*+?^$()|[\]\\]/g, "\\$&").replaceAll(/\{[^}]+\}/g, "[^:]+")}$`,
    ),
  }));
  const rules = hostServices(fakeHost()).flatMap(({ service }) =>
    service.methods.flatMap((method) => rulesOf(method, operationRules)),
  );
  for (const { httpMethod, template } of rules) {
    const example = `/${template.segments.map((segment) => (segment === "**" ? "a/b" : segment === "*" ? "a" : segment)).join("/")}${template.verb === undefined ? "" : `:${template.verb}`}`;
    expect({
      example,
      found: known.some(
        ({ method, pattern }) => method === httpMethod.toLowerCase() && pattern.test(example),
      ),
    }).toEqual({ example, found: true });
  }
  // Routes outside of the protos are served: an empty request is invalid, not unknown.
  const bytes = [
    ["get", "/v1/transfers/none:download", 404],
    ["put", "/v1/transfers/no%20name", 400],
    ["post", "/v1/documents:import", 400],
    ["get", "/v1/documents:export", 400],
  ] as const;
  for (const [method, path, status] of bytes) {
    expect(known.some((one) => one.method === method && one.pattern.test(path))).toBe(true);
    const response = await fetch(`${base()}${path}`, { method: method.toUpperCase() });
    expect({ path, status: response.status, text: await response.text() }).toEqual({
      path,
      status,
      text: expect.not.stringContaining("ROUTE_NOT_FOUND") as string,
    });
  }
  expect(known).toHaveLength(rules.length + bytes.length);
  expect(document.paths["/v1/operations/{name}:wait"]).toHaveProperty("post");
});

test("documents the syntax of fields, and streams as lines", async () => {
  fixture = await hostFixture();
  const { document } = await load();
  const list = document.paths["/v1/documents"]?.["get"];
  expect(list?.parameters).toContainEqual({
    name: "pageSize",
    in: "query",
    schema: { type: "integer", format: "int32" },
  });
  expect(list?.requestBody).toBeUndefined();
  expect(
    document.paths["/v1/documents"]?.["post"]?.requestBody?.content["application/json"]?.schema,
  ).toEqual({ $ref: "#/components/schemas/holdfast.document.v1.CreateDocumentRequest" });
  expect(
    Object.keys(
      document.paths["/v1/operations/{name}:watch"]?.["get"]?.responses["200"]?.content ?? {},
    ),
  ).toEqual(["application/x-ndjson"]);
});

test("responses match their schemas", async () => {
  fixture = await hostFixture();
  const { document } = await load();
  const resolve = resolver(document);
  const check = async (path: string, method: string, at: string, body?: unknown) => {
    const response = await fetch(`${base()}${at}`, {
      method,
      ...(body !== undefined && {
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      }),
    });
    const answer: unknown = await response.json();
    const operation = document.paths[path]?.[method.toLowerCase()];
    const schema = (
      operation?.responses[response.ok ? "200" : "default"] ?? operation?.responses["default"]
    )?.content["application/json"]?.schema;
    expect({
      path,
      problems: schema
        ? problemsOf(schema, answer, resolve)
        : ["the document has no schema for this response"],
    }).toEqual({ path, problems: [] });
    const wanted = operation?.requestBody?.content["application/json"]?.schema;
    if (wanted && response.ok) expect(problemsOf(wanted, body, resolve)).toEqual([]);
    return answer as Record<string, string>;
  };
  const link = `${factoryPath}/one`;
  await check("/v1/host", "GET", "/v1/host");
  await check("/v1/documents", "POST", "/v1/documents", {
    factoryLink: factoryPath,
    documentId: "one",
    fields: { n: 1, deep: { list: [null, true] } },
  });
  await check("/v1/documents/{selfLink}", "GET", `/v1/documents${link}`);
  await check(
    "/v1/documents",
    "GET",
    `/v1/documents?factoryLink=${factoryPath}&bodyFormat=BODY_FORMAT_FIELDS`,
  );
  await check("/v1/documents/{selfLink}", "GET", "/v1/documents/things/none");
  await check("/v1/documents/{selfLink}:versions", "GET", `/v1/documents${link}:versions`);
  const { name } = await check("/v1/backups", "POST", "/v1/backups", {
    destination: fixture.uri("backup"),
    container: "CONTAINER_DIRECTORY",
  });
  await check("/v1/operations/{name}:wait", "POST", `/v1/${name}:wait`, {});
  await check("/v1/operations/{name}", "GET", `/v1/${name}`);
  await check("/v1/backups", "GET", `/v1/backups?uri=${fixture.uri("backup")}`);
  await check("/v1/backups:describe", "GET", `/v1/backups:describe?uri=${fixture.uri("backup")}`);
  await check("/v1/documents/{selfLink}", "DELETE", `/v1/documents${link}`);
});

test("requires the role read if tokens are required, and documents them", async () => {
  fixture = await hostFixture({ tokens: "reader read\nsaver backup" });
  expect((await load()).status).toBe(401);
  expect((await load({ authorization: "Bearer saver" })).status).toBe(403);
  const { status, document } = await load({ authorization: "Bearer reader" });
  expect(status).toBe(200);
  expect(document.security).toEqual([{ bearer: [] }]);
  expect(
    (
      await fetch(`${base()}/v1/openapi.json`, {
        method: "POST",
        headers: { authorization: "Bearer reader" },
      })
    ).status,
  ).toBe(405);
});

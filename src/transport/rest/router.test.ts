import { createRouter } from "./router.js";
import { parseTemplate } from "./template.js";

const route = (httpMethod: string, template: string, target: string) => ({
  httpMethod,
  template: parseTemplate(template),
  body: "",
  responseBody: "",
  target,
});
const find = createRouter([
  route("GET", "/v1/documents/{link=**}", "get"),
  route("PUT", "/v1/documents/{link=**}", "put"),
  route("GET", "/v1/documents", "list"),
  route("POST", "/v1/documents", "create"),
  route("GET", "/v1/documents/{link=**}:versions", "versions"),
  route("GET", "/v1/{name=operations}", "operations"),
  route("GET", "/v1/{name=operations/**}", "operation"),
  route("POST", "/v1/{name=operations/**}:cancel", "cancel"),
]);
const target = (method: string, path: string) => find(method, path).route.target;

test("prefers the most specific template, with verbs first", () => {
  expect(target("GET", "/v1/documents")).toBe("list");
  expect(target("GET", "/v1/documents/a/b")).toBe("get");
  expect(target("GET", "/v1/documents/a/b:versions")).toBe("versions");
  expect(target("GET", "/v1/operations")).toBe("operations");
  expect(target("POST", "/v1/operations/1:cancel")).toBe("cancel");
});

test("treats a colon without a known verb as part of the path", () => {
  expect(find("GET", "/v1/documents/a:b").variables.get("link")).toBe("a:b");
  expect(find("PUT", "/v1/documents/a:versions").variables.get("link")).toBe("a:versions");
  expect(find("GET", "/v1/documents/a%3Aversions").variables.get("link")).toBe("a:versions");
});

test("routes HEAD like GET", () => expect(target("HEAD", "/v1/documents/a")).toBe("get"));

test("distinguishes unknown paths from unsupported methods", () => {
  expect(() => find("GET", "/v1/nothing")).toThrow(
    expect.objectContaining({ reason: "ROUTE_NOT_FOUND" }),
  );
  expect(() => find("DELETE", "/v1/documents")).toThrow(
    expect.objectContaining({ reason: "METHOD_NOT_ALLOWED", metadata: { allow: "GET, POST" } }),
  );
});

test("rejects a malformed path", () => {
  expect(() => find("GET", "/v1/documents/%ff")).toThrow(
    expect.objectContaining({ reason: "REQUEST_INVALID" }),
  );
});

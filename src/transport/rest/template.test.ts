import { decodeVariable, matchTemplate, parseTemplate } from "./template.js";

const match = (template: string, path: string) => {
  const found = matchTemplate(parseTemplate(template), path);
  return (
    found &&
    Object.fromEntries(
      found.map(({ fieldPath, raw, multiple }) => [fieldPath, decodeVariable(raw, multiple)]),
    )
  );
};

test.each([
  ["/v1/host", "/v1/host", {}],
  ["/v1/host", "/v1/hosts", undefined],
  ["/v1/host", "/v1/host/", undefined],
  ["/v1/{name}", "/v1/a", { name: "a" }],
  ["/v1/{name}", "/v1/", undefined],
  ["/v1/{name}", "/v1/a/b", undefined],
  ["/v1/{name}", "/v1/a%2Fb", { name: "a/b" }],
  ["/v1/{name=operations}", "/v1/operations", { name: "operations" }],
  ["/v1/{name=operations/*}", "/v1/operations/x", { name: "operations/x" }],
  ["/v1/{name=operations/*}", "/v1/operations/x/y", undefined],
  ["/v1/{name=operations/**}", "/v1/operations/x/y", { name: "operations/x/y" }],
  ["/v1/{name=operations/**}", "/v1/operations", undefined],
  ["/v1/documents/{link=**}", "/v1/documents/core/examples/one", { link: "core/examples/one" }],
  ["/v1/documents/{link=**}", "/v1/documents", undefined],
  ["/v1/documents/{link=**}", "/v1/documents/a%20b/c", { link: "a b/c" }],
  ["/v1/documents/{link=**}", "/v1/documents/a%2Fb/c", { link: "a%2Fb/c" }],
  ["/v1/documents/{link=**}", "/v1/documents/a%2fb%252F", { link: "a%2fb%2F" }],
  ["/v1/documents/{link=**}:versions", "/v1/documents/a/b:versions", { link: "a/b" }],
  ["/v1/documents/{link=**}:versions", "/v1/documents/a:x/b:versions", { link: "a:x/b" }],
  ["/v1/documents/{link=**}:versions", "/v1/documents/a/b%3Aversions", undefined],
  ["/v1/a/{b.c}/d/{e=*}", "/v1/a/1/d/2", { "b.c": "1", e: "2" }],
  ["/v1/{a=x/*/y}/{b}", "/v1/x/1/y/2", { a: "x/1/y", b: "2" }],
  ["/v1/*/x", "/v1/any/x", {}],
  ["/v1/backups:verify", "/v1/backups:verify", {}],
  ["/v1/backups:verify", "/v1/backups", undefined],
])("matches %s against %s", (template, path, expected) => {
  expect(match(template, path)).toEqual(expected);
});

test("returns no value for malformed percent-encoding", () => {
  expect(match("/v1/{name}", "/v1/%zz")).toEqual({ name: undefined });
});

test.each(["v1", "/v1//x", "/v1/{", "/v1/{a=**}/x", "/v1/a*", "/v1/x:", "/v1/{A B}"])(
  "rejects the template %s",
  (template) => {
    expect(() => parseTemplate(template)).toThrow(/path template/);
  },
);

import { checkLink, createLink } from "./link.js";

const make = (given?: string) => createLink("/core/examples", given, () => "made-up");

test("treats a name, a name with a slash and the full path as the same link", () => {
  expect(make("one")).toBe("/core/examples/one");
  expect(make("/one")).toBe("/core/examples/one");
  expect(make("/core/examples/one")).toBe("/core/examples/one");
  expect(make("a/b c é")).toBe("/core/examples/a/b c é");
  expect(make("/core/examplesque")).toBe("/core/examples/core/examplesque");
});

test("generates a missing name", () => {
  expect(make()).toBe("/core/examples/made-up");
  expect(make("")).toBe("/core/examples/made-up");
});

test.each([
  "..",
  "a/../b",
  ".",
  "a//b",
  "a/",
  "a?b",
  "a#b",
  "a\\b",
  "a\u0000b",
  "a\nb",
  "a\u007fb",
  "a\u0085b",
  "\ud800",
])("rejects %j", (given) => {
  expect(() => make(given)).toThrow(expect.objectContaining({ reason: "LINK_INVALID" }));
});

test("applies the limit in bytes", () => {
  expect(() => checkLink(`/${"a".repeat(1023)}`)).not.toThrow();
  expect(() => checkLink(`/${"a".repeat(1024)}`)).toThrow(/1024 bytes/);
  expect(() => checkLink(`/${"é".repeat(512)}`)).toThrow(/1024 bytes/);
  expect(() => checkLink("relative")).toThrow(/must begin with/);
});

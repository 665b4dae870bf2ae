import { filePathOf, schemeOf } from "./uri.js";

test.each([
  ["file:/var/backup/b.zip", "/var/backup/b.zip"],
  ["file:///var/backup/b.zip", "/var/backup/b.zip"],
  ["file://localhost/var/backup", "/var/backup"],
  ["FILE:/var/backup/", "/var/backup"],
  ["file:/with%20space/%C3%A4", "/with space/ä"],
  ["file:/a/./b/../c", "/a/c"],
  ["file:/a//b", "/a/b"],
  ["file:/100%25", "/100%"],
])("parses %s as %s", (uri, path) => {
  expect(filePathOf(uri)).toBe(path);
});

test.each([
  ["var/backup"],
  ["file:relative"],
  ["file:"],
  ["http://host/x"],
  ["file:/a?b"],
  ["file:/a#b"],
  ["file:/%zz"],
  ["file:/a%00b"],
  ["file:/a%0Ab"],
  [""],
  ["/var/backup"],
])("rejects %j with a message that contains it", (uri) => {
  expect(() => filePathOf(uri)).toThrow(
    expect.objectContaining({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(JSON.stringify(uri)) as string,
    }) as Error,
  );
});

test("ignores the case of the scheme", () => {
  expect(schemeOf("HTTPS://host/x")).toBe("https");
  expect(() => schemeOf("x.zip")).toThrow(/Missing scheme/);
});

import { HostError } from "../../errors.js";
import { parseHttpUri } from "./uri.js";

test.each([
  [
    "http://store/b.zip",
    { secure: false, hostname: "store", port: 80, authority: "store", target: "/b.zip" },
  ],
  [
    "HTTPS://Store:8443/a%20b%2Fc?x=%41&y",
    {
      secure: true,
      hostname: "Store",
      port: 8443,
      authority: "Store:8443",
      target: "/a%20b%2Fc?x=%41&y",
    },
  ],
  ["http://[::1]:9/x", { hostname: "::1", port: 9, authority: "[::1]:9", target: "/x" }],
  ["http://store", { target: "/" }],
  ["http://store?x=1", { target: "/?x=1" }],
  ["https://store/a/../b//c;d", { port: 443, target: "/a/../b//c;d" }],
  ["http://store:80/x", { authority: "store:80" }],
])("parses %s without changing it", (uri, parts) => {
  expect(parseHttpUri(uri)).toMatchObject(parts);
});

test.each([
  ["http://user:hunter2@store/x", /user name or password/],
  ["http:///x", /Missing host in URI/],
  ["http:store/x", /Missing host in URI/],
  ["http://store:0/x", /port 0/],
  ["http://store:65536/x", /port/],
  ["http://store/x#y", /fragment/],
  ["http://store/a b", /percent-escapes/],
  ["http://store/ä", /percent-escapes/],
  ["http://store/a\r\nHost: other", /percent-escapes/],
  ["http://sto re/x", /Missing host/],
  ["http://[::1/x", /Missing host/],
])("rejects %j", (uri, problem) => {
  const error = (() => {
    try {
      return parseHttpUri(uri);
    } catch (thrown) {
      return thrown as HostError;
    }
  })();
  expect(error).toBeInstanceOf(HostError);
  expect((error as HostError).message).toMatch(problem);
  expect((error as HostError).message).not.toContain("hunter2");
});

test("removes the query for messages", () => {
  const { shown, target } = parseHttpUri(
    "https://s/b.zip?X-Amz-Signature=abc&part=1&sig=abc&access_token=abc&X-Amz-Security-Token=abc&sign=no",
  );
  expect(shown).toBe("https://s/b.zip");
  expect(target).toContain("X-Amz-Signature=abc");
});

import { parseAddress, formatAddress } from "./host-address.js";

test.each([
  ["127.0.0.1:8001", false, { host: "127.0.0.1", port: 8001, tls: false }],
  ["backup.example", false, { host: "backup.example", port: 8001, tls: false }],
  ["backup.example:9000", true, { host: "backup.example", port: 9000, tls: true }],
  ["https://backup.example:9000", false, { host: "backup.example", port: 9000, tls: true }],
  ["http://127.0.0.1:8001/", true, { host: "127.0.0.1", port: 8001, tls: false }],
  ["[::1]:8001", false, { host: "::1", port: 8001, tls: false }],
])("parses %s", (text, tls, address) => {
  expect(parseAddress(text, tls)).toEqual(address);
});

test("formats IPv6 addresses with brackets", () =>
  expect(formatAddress(parseAddress("[::1]:9", false))).toBe("[::1]:9"));

test.each([
  "",
  ":8001",
  "host:0",
  "host:70000",
  "host:port",
  "ftp://host",
  "user@host:1",
  "host:8001/path",
  "::1",
])("rejects %j", (text) =>
  expect(() => parseAddress(text, false)).toThrow(
    expect.objectContaining({ reason: "REQUEST_INVALID" }),
  ),
);
